#!/bin/bash
# Make the base images that docker/ asks for from Debian's packages, for a machine that reaches no image registry.
#   tests/docker/images/make.sh [FOLDER for the tar files, default /tmp/pinsage-images]
# Needs root, Debian 12, mmdebstrap and a Docker engine. The Dockerfile and the compose file stay as users get them.
set -euo pipefail

here=$(dirname "$(readlink -f "$0")")
folder=${1:-/tmp/pinsage-images}
sources=${APT_SOURCES:-/etc/apt/sources.list.d/debian.sources}
docker=${DOCKER:-docker}
mkdir -p "$folder"

root_file_system() {  # NAME PACKAGES: a tar file, unless it is there
    [ -s "$folder/$1.tar" ] || mmdebstrap --variant=minbase --include="$2" bookworm "$folder/$1.tar" "$sources"
}

layer() {  # IMAGE NAME: NAME.tar and the files of images/NAME/ become IMAGE
    local image=$1 name=$2
    "$docker" image inspect "pinsage-debian-$name" >/dev/null 2>&1 \
        || "$docker" import "$folder/$name.tar" "pinsage-debian-$name" >/dev/null
    "$docker" build --quiet --tag "pinsage-stand-in-$name" --build-arg "BASE=pinsage-debian-$name" "$folder/context-$name"
    "$docker" tag "pinsage-stand-in-$name" "$image"
}

context() {  # NAME: a build context with the files of images/NAME/
    rm -rf "$folder/context-$1"
    cp -r "$here/$1" "$folder/context-$1"
}

root_file_system python python3,python3-venv,python3-pip,python3-dev,ca-certificates
root_file_system postgres postgresql-15
root_file_system redis redis-server

context python
cp /etc/ssl/certs/ca-certificates.crt "$folder/context-python/"  # of this machine, which may trust one more authority
python3 "$here/package_index.py" configuration > "$folder/context-python/pip.conf"
layer python:3.11-slim-bookworm python
context postgres
layer postgres:15-bookworm postgres
context redis
layer redis:7.2-bookworm redis
context object_store
cp "$folder/python.tar" "$folder/object_store.tar"
layer versity/versitygw:v1.8.0 object_store
"$docker" images
