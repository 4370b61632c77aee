#!/bin/sh
# One database for Airflow and one for MLflow, each with a user who owns nothing else. Runs at the first start alone.
set -eu
for name in airflow mlflow; do
    case $name in
        airflow) password=$AIRFLOW_DATABASE_PASSWORD ;;
        mlflow) password=$MLFLOW_DATABASE_PASSWORD ;;
    esac
    psql --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --set password="$password" <<EOF
CREATE USER $name PASSWORD :'password';
CREATE DATABASE $name OWNER $name;
REVOKE CONNECT ON DATABASE $name FROM PUBLIC;
EOF
done
