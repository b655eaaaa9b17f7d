#!/usr/bin/env bash
# Check lrx on one GPU in at most ten minutes, and write gpu.json and gpu.md (a section for docs/benchmarks.md):
#
#   scripts/gpu_check.sh [--folder outputs/gpu_check] [--page docs/benchmarks.md]     (--cpu: on the CPU, for a trial)
#
# Needs nothing from the network. Takes $PYTHON, else .venv/bin/python, else python3.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=${PYTHON:-}
if [ -z "$python" ]; then
  python=python3
  [ -x .venv/bin/python ] && python=.venv/bin/python
fi
exec "$python" scripts/gpu_check.py "$@"
