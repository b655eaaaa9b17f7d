#!/usr/bin/env bash
# torch 2.13.0 on a CPU: a convolutional network compiled with `torch._inductor.config.freezing` hides NaN.
#
# A frozen graph computes ReLU within oneDNN's convolution, which gives 0 for NaN; torch.relu keeps NaN. The output of
# an image with one NaN pixel is then an ordinary finite vector, also where the network ran plainly, or compiled without
# freezing, gives NaN for it. A response or a score of such a model cannot be told from one of valid images.
# lrx does not freeze graphs, and computes ReLU outside convolutions. Needs a C++ compiler.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "torch==2.13.0" "numpy==2.4.6" "setuptools==80.9.0"
TORCHINDUCTOR_CACHE_DIR="$folder/cache" "$folder/venv/bin/python" - <<'PY'
import torch
from torch import nn

torch.manual_seed(0)
encoder = nn.Sequential(
    *(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU()),
    *(nn.Conv2d(16, 16, 3, padding=1), nn.ReLU()),
    *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 4)),
).eval()
images = torch.randn(4, 3, 16, 16)
images[0, 0, 5, 5] = torch.nan
found = {}
with torch.no_grad():
    found["plain"] = encoder(images)
    for name, freezing in (("compiled", False), ("compiled and frozen", True)):
        torch._dynamo.reset()
        torch._inductor.config.freezing = freezing
        found[name] = torch.compile(encoder)(images)
print("torch", torch.__version__)
for name, latents in found.items():
    print(f"{name}: latents of the image with one NaN pixel are {[round(value, 3) for value in latents[0].tolist()]}")
assert found["plain"][0].isnan().all() and found["compiled"][0].isnan().all()
assert found["compiled and frozen"].isfinite().all()
torch.testing.assert_close(found["compiled and frozen"][1:], found["plain"][1:])
PY
