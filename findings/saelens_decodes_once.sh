#!/usr/bin/env bash
# SAELens 6.54.12: with normalize_activations=layer_norm or constant_norm_rescale, decode works once after each encode.
#
# encode stores mean and length of its input on the model, decode uses and deletes them. So decode(f) of a code alone, or
# a second one, is an AttributeError, and the result of the first depends on the vector that was encoded last: an
# intervention on f must be decoded right after the encode of its own vector.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "torch==2.13.0" "sae-lens==6.54.12"
"$folder/venv/bin/pip" uninstall --quiet --yes torchvision  # of another torch, if one came along
"$folder/venv/bin/python" - <<'PY'
import torch
from sae_lens import StandardSAE, StandardSAEConfig

torch.manual_seed(0)
for kind in ("layer_norm", "constant_norm_rescale"):
    sae = StandardSAE(StandardSAEConfig(d_in=8, d_sae=12, normalize_activations=kind))
    x = torch.randn(1, 8)
    f = sae.encode(x)
    first = sae.decode(f)
    try:
        sae.decode(f)
        raise SystemExit(f"changed: {kind} decodes twice")
    except AttributeError as error:
        print(kind, "second decode:", error)
    sae.encode(10 * x)
    other = sae.decode(f)
    print(kind, "the same code after encode(10 x):", round(float(other.norm() / first.norm()), 3), "times as long")
    assert other.norm() > 2 * first.norm(), "changed: decode does not depend on what was encoded last"
PY
