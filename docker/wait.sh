#!/bin/sh
# wait.sh COMPOSE...: return once every service of the deployment is healthy, or say which one is not after 10 minutes.
set -eu
deadline=$(($(date +%s) + 600))
while :; do
    waiting=
    for id in $("$@" ps --quiet); do
        state=$(docker inspect --format '{{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{end}} {{.State.ExitCode}} {{.Name}}' "$id")
        case $state in
            "running healthy "* | "exited "*" 0 "*) ;;
            *) waiting="$waiting ${state##*/}" ;;
        esac
    done
    [ -n "$waiting" ] || break
    if [ "$(date +%s)" -gt "$deadline" ]; then
        echo "Not healthy after 10 minutes:$waiting. Read: $* logs NAME" >&2
        exit 1
    fi
    sleep 3
done
echo "Airflow: http://127.0.0.1:${PINSAGE_AIRFLOW_PORT:-8080} (users and passwords: docker/secrets/users.env)"
echo "MLflow:  http://127.0.0.1:${PINSAGE_MLFLOW_PORT:-5000} (user and password: docker/secrets/mlflow.env)"
echo "Dask:    http://127.0.0.1:${PINSAGE_DASK_PORT:-8787}"
