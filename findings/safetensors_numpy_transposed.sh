#!/usr/bin/env bash
# safetensors 0.8.0: numpy.save_file writes a transposed array in the wrong order, without a word.
#
# It writes the shape of the view and the memory of what was viewed. A kernel that was transposed in numpy for torch's
# order of axes comes back with the right shape and permuted weights. np.ascontiguousarray before saving is the remedy.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "safetensors==0.8.0" "numpy==2.4.6"
cd "$folder" && venv/bin/python - <<'PY'
import numpy as np
from safetensors.numpy import load_file, save_file

weight = np.arange(6, dtype=np.float32).reshape(2, 3)
views = {"contiguous": weight, "transposed": weight.T, "fortran": np.asfortranarray(weight)}
copies = {f"{name}, copied": np.ascontiguousarray(view) for name, view in views.items()}
same = {}
for name, array in (views | copies).items():
    save_file({"weight": array}, "model.safetensors")
    loaded = load_file("model.safetensors")["weight"]
    same[name] = np.array_equal(array, loaded)
    print(f"{name}: saved {array.tolist()}, loaded {loaded.tolist()}")
    assert loaded.shape == array.shape, "changed: another shape"
assert [name for name in same if not same[name]] == ["transposed", "fortran"], f"changed: {same}"
PY
