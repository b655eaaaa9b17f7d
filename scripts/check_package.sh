#!/usr/bin/env bash
# Builds the source archive and the wheel, checks them, and tries the wheel in a clean environment: the core alone, then
# each extra by one thing that needs it. Run by `make package`; PYTHON is the interpreter of these environments.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" # so that no checkout is on the path

quiet() { # runs a command, and shows the end of its output if it fails
  "$@" >log 2>&1 || { echo "fails: $*"; tail -20 log; exit 1; }
}

"$python" -m venv build
quiet build/bin/pip install build twine
quiet build/bin/python -m build --outdir dist "$root"
build/bin/twine check --strict dist/*
wheel=$(echo dist/*.whl)

"$python" -m venv clean
export PATH="$work/clean/bin:$PATH"
install() { quiet clean/bin/pip install --constraint "$root/constraints.txt" "$1"; }
small=(dataset=helix network=mlp trainer.steps=4)

install "$wheel"
lrx --version
quiet lrx train "${small[@]}" name=small
quiet lrx assay ckpt=outputs/train/small assay=response_matrix assay.num_samples=64
quiet lrx report outputs
echo "core: trains, measures, reports"

extra() { # installs an extra and runs a command that needs it
  install "$wheel[$1]"
  quiet "${@:2}"
  echo "extra $1: works"
}
extra tensorboard lrx train "${small[@]}" 'track=[tensorboard]' name=tensorboard
extra sweep lrx train -m hydra/launcher=joblib "${small[@]}" seed=0,1 name=sweep
extra optuna lrx train -m hydra/sweeper=optuna hydra.sweeper.n_trials=2 hydra.sweeper.storage=sqlite:///trials.db \
  "${small[@]}" 'model.beta=interval(1, 4)' model=betavae name=optuna
extra tables python -c 'import numpy, pyarrow, pyarrow.parquet
columns = numpy.random.default_rng(0).integers(0, 4, (3, 200))
table = pyarrow.table({"z0": columns[0] + 0.0, "z1": columns[1] + 0.0, "shape": columns[2]})
pyarrow.parquet.write_table(table, "codes.parquet")'
quiet lrx assay codes=codes.parquet assay=metrics 'assay.only=[mig]'
extra xarray python -c 'import lrx; from pathlib import Path
for path in Path("outputs/assay").rglob("result.h5"):
    print([result.to_xarray() for result in lrx.read_results(path).values()])'
extra wandb env WANDB_MODE=offline lrx train "${small[@]}" 'track=[wandb]' name=wandb
clean/bin/python -c 'import numpy
numpy.savez("images.npz", images=numpy.random.default_rng(0).integers(0, 256, (32, 16, 16, 3), "uint8"))'
extra diffusers lrx import weights="$root/tests/data/diffusers/kl" 'trust=[diffusers]' \
  dataset=arrays dataset.path=images.npz name=diffusers
extra explore python -c 'import lrx.explore.server, uvicorn'
quiet lrx explore ckpt=outputs/train/small 'views=[{image: 3}]' out=strip.png
extra idsprites lrx train dataset=idsprites trainer.steps=2 name=idsprites
