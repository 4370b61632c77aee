#!/bin/sh
# Make the secrets of the deployment in docker/secrets/: one file for each group of services, mode 600, never committed.
# Files that are there stay as they are: what the databases were made with must go on opening them.
set -eu
umask 077
cd "$(dirname "$0")"
mkdir -p secrets
chmod 700 secrets

random() { head -c "$1" /dev/urandom | od -An -v -tx1 | tr -d ' \n'; }
value() { sed -n "s/^$2=//p" "secrets/$1.env"; }
write() {  # NAME: what comes in becomes secrets/NAME.env at once or not at all
    cat > "secrets/.$1.part"
    mv "secrets/.$1.part" "secrets/$1.env"
    echo "made docker/secrets/$1.env"
}

[ -f secrets/postgres.env ] || write postgres <<EOF
POSTGRES_PASSWORD=$(random 24)
AIRFLOW_DATABASE_PASSWORD=$(random 24)
MLFLOW_DATABASE_PASSWORD=$(random 24)
EOF
[ -f secrets/redis.env ] || write redis <<EOF
REDISCLI_AUTH=$(random 24)
EOF
[ -f secrets/airflow.env ] || write airflow <<EOF
AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=postgresql+psycopg2://airflow:$(value postgres AIRFLOW_DATABASE_PASSWORD)@postgres/airflow
AIRFLOW__CELERY__RESULT_BACKEND=db+postgresql://airflow:$(value postgres AIRFLOW_DATABASE_PASSWORD)@postgres/airflow
AIRFLOW__CELERY__BROKER_URL=redis://:$(value redis REDISCLI_AUTH)@redis:6379/0
AIRFLOW__CORE__FERNET_KEY=$(head -c 32 /dev/urandom | base64 | tr '+/' '-_')
AIRFLOW__API__SECRET_KEY=$(random 32)
AIRFLOW__API_AUTH__JWT_SECRET=$(random 64)
EOF
[ -f secrets/users.env ] || write users <<EOF
PINSAGE_ADMIN_PASSWORD=$(random 12)
PINSAGE_OPERATOR_PASSWORD=$(random 12)
PINSAGE_VIEWER_PASSWORD=$(random 12)
EOF
[ -f secrets/client.env ] || write client <<EOF
PINSAGE_AIRFLOW_USER=operator
PINSAGE_AIRFLOW_PASSWORD=$(value users PINSAGE_OPERATOR_PASSWORD)
EOF
[ -f secrets/mlflow.env ] || write mlflow <<EOF
MLFLOW_BACKEND_STORE_URI=postgresql+psycopg2://mlflow:$(value postgres MLFLOW_DATABASE_PASSWORD)@postgres/mlflow
MLFLOW_AUTH_ADMIN_USERNAME=pinsage
MLFLOW_AUTH_ADMIN_PASSWORD=$(random 12)
MLFLOW_FLASK_SERVER_SECRET_KEY=$(random 32)
EOF
[ -f secrets/mlflow-client.env ] || write mlflow-client <<EOF
MLFLOW_TRACKING_USERNAME=$(value mlflow MLFLOW_AUTH_ADMIN_USERNAME)
MLFLOW_TRACKING_PASSWORD=$(value mlflow MLFLOW_AUTH_ADMIN_PASSWORD)
EOF
# For an object store of your own put its address and keys here before the first start (docker/README.md).
[ -f secrets/store.env ] || write store <<EOF
AWS_ENDPOINT_URL=http://object-store:7070
AWS_REGION=us-east-1
AWS_ACCESS_KEY_ID=$(random 10)
AWS_SECRET_ACCESS_KEY=$(random 24)
EOF
[ -f secrets/object-store.env ] || write object-store <<EOF
ROOT_ACCESS_KEY=$(value store AWS_ACCESS_KEY_ID)
ROOT_SECRET_KEY=$(value store AWS_SECRET_ACCESS_KEY)
EOF
# Nothing is told or sent until a line here is no comment any more (docs/operations.md). An address may hold a password.
[ -f secrets/monitoring.env ] || write monitoring <<EOF
# PINSAGE_NOTIFY=slack://... mailto://...
# PINSAGE_LATE_HOURS=24
# PINSAGE_LOGS=json
# AIRFLOW__LOGGING__JSON_LOGS=True
# AIRFLOW__METRICS__OTEL_ON=True
# OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf
# OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=http://prometheus:9090/api/v1/otlp/v1/metrics
# OPENLINEAGE_URL=http://marquez:5000
EOF
