#!/bin/sh
# run.sh DATASET PRESET [NAME=VALUE...] -- COMPOSE...: run the DAG of the deployment, follow it, print what came out.
# DATASET is a folder below docker/data (or PINSAGE_DATA), which the workers see as /data, or a URL; empty: the demo.
set -eu
data=$(cd "${PINSAGE_DATA:-$(dirname "$0")/data}" && pwd)
dataset=$1 preset=$2
shift 2
settings=
[ -t 1 ] && notty= || notty=-T  # a table that moves on a terminal, lines elsewhere
while [ "$1" != -- ]; do
    settings="$settings --set $1"
    shift
done
shift

case $dataset in
    "")
        preset=${preset:-conf/demo.yaml}
        dataset=/data/demo
        [ -d "$data/demo" ] || "$@" run --rm $notty --user "$(id -u):$(id -g)" -e PINSAGE_UMASK=022 --volume "$data:/out" client pinsage demo-data /out/demo
        ;;
    *://*) ;;
    *)
        folder=$(cd "$dataset" 2>/dev/null && pwd) || {
            echo "There is no folder $dataset. Give one below $data, or a URL such as s3://bucket/tables." >&2
            exit 2
        }
        case $folder/ in
            "$data"/?*) dataset=/data/${folder#"$data"/} ;;
            *)
                echo "$folder is not below $data, the folder that the workers see. Start with PINSAGE_DATA=$(dirname "$folder") make docker-up, or copy it there." >&2
                exit 2
                ;;
        esac
        ;;
esac
# shellcheck disable=SC2086 # settings are words
exec "$@" run --rm $notty client pinsage trigger --dataset "$dataset" ${preset:+--preset "$preset"} $settings
