#!/bin/sh
# What docker/ needs of the official entrypoint: a first start makes the cluster, its password, and runs the *.sh files
# of /docker-entrypoint-initdb.d; every start then listens on all addresses of the container.
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    printf '%s' "${POSTGRES_PASSWORD:?give POSTGRES_PASSWORD}" > /tmp/password
    initdb --username postgres --pwfile /tmp/password --auth-local trust --auth-host scram-sha-256 > /dev/null
    rm /tmp/password
    printf 'host all all all scram-sha-256\n' >> "$PGDATA/pg_hba.conf"
    pg_ctl --wait --options "-c listen_addresses=''" start > /dev/null
    for script in /docker-entrypoint-initdb.d/*.sh; do
        [ ! -f "$script" ] || POSTGRES_USER=postgres sh "$script"
    done
    pg_ctl --wait --mode fast stop > /dev/null
fi
exec "$@" -c "listen_addresses=*"
