#!/usr/bin/env bash
# Everything that needs a GPU, in one call of about eight minutes: the tests, training at the paper's sizes, inference.
#
#     benchmarks/gpu.sh [folder for the figures]
#
# Needs torch, numba, numpy, pyarrow, pydantic, PyYAML, safetensors and pytest. Each part has a limit of its own, so that
# one that hangs leaves the others their time; the exit status is that of the tests.
set -uo pipefail
cd "$(dirname "$0")/.."
out=${1:-/tmp/gpu}
mkdir -p "$out"
export PYTHONPATH=$PWD:${PYTHONPATH:-} PYTHONUNBUFFERED=1

nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader
timeout 150 python3 -m pytest tests/training/test_on_gpu.py --timeout 150 --durations 5 2>&1 | tee "$out/tests.log"
status=${PIPESTATUS[0]}
timeout 300 python3 benchmarks/gpu_training.py --json "$out/gpu_training.json" 2>&1 | tee "$out/training.log"
timeout 70 python3 benchmarks/inference.py --gpu --results "$out/inference.json" 2>&1 | tee "$out/inference.log"
exit $status
