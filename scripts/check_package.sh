#!/usr/bin/env bash
# Builds the source archive and the wheel, checks them, and tries the wheel in a clean environment: the core alone, then
# each extra with one thing that needs it. Run by `make package`; PYTHON is the interpreter of that environment.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$python" -m venv "$work/build"
"$work/build/bin/pip" install --quiet build twine
"$work/build/bin/python" -m build --outdir "$work/dist" . >"$work/build.log" 2>&1 || { tail -20 "$work/build.log"; exit 1; }
"$work/build/bin/twine" check --strict "$work"/dist/*
wheel=$(echo "$work"/dist/*.whl)

"$python" -m venv "$work/clean"
install() { "$work/clean/bin/pip" install --quiet --constraint constraints.txt "$@"; }
cd "$work" # so that no checkout is on the path
install_from=$OLDPWD
pip_constraint() { (cd "$install_from" && install "$@"); }

pip_constraint "$wheel"
clean/bin/lrx --version
clean/bin/lrx train dataset=helix network=mlp trainer.steps=20 name=helix >train.log 2>&1 || { tail -5 train.log; exit 1; }
clean/bin/lrx assay ckpt=outputs/train/helix assay=response_matrix assay.num_samples=64 >assay.log 2>&1 || { tail -5 assay.log; exit 1; }
clean/bin/lrx report outputs >report.log 2>&1 || { tail -5 report.log; exit 1; }
echo "core: trains, measures and reports"

try() {
  pip_constraint "$wheel[$1]"
  (eval "$2") >"$1.log" 2>&1 || { echo "extra $1 fails:"; tail -5 "$1.log"; exit 1; }
  echo "extra $1: $2"
}
lrx="clean/bin/lrx"
try xarray "clean/bin/python -c 'import lrx, xarray; from pathlib import Path; result = lrx.read_results(next(Path(\"outputs/assay\").rglob(\"result.h5\"))); print([r.to_xarray() for r in result.values()])'"
try tensorboard "$lrx train dataset=helix network=mlp trainer.steps=4 'track=[tensorboard]' name=tensorboard"
try wandb "clean/bin/python -c 'import wandb'"
try sweep "$lrx train -m hydra/launcher=joblib dataset=helix network=mlp trainer.steps=4 seed=0,1 name=sweep"
try optuna "$lrx train -m hydra/sweeper=optuna --cfg job dataset=helix network=mlp"
try tables "clean/bin/python -c 'import pyarrow.parquet'"
try diffusers "clean/bin/python -c 'import diffusers'"
