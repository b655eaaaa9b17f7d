#!/usr/bin/env bash
# diffusers 0.42.1: AutoencoderTiny.forward is not decode(encode(x)): it cuts codes to [-3, 3] and rounds them to 256 values.
#
# It does as if they were stored in an image file. Who measures reconstruction by calling the model measures this too.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 diffusers==0.42.1
"$folder/venv/bin/python" - <<'PY'
import sys

import torch
from diffusers import AutoencoderTiny

torch.manual_seed(0)
widths, blocks = (8, 8), (1, 1)
model = AutoencoderTiny(
    encoder_block_out_channels=widths, decoder_block_out_channels=widths,
    num_encoder_blocks=blocks, num_decoder_blocks=blocks, latent_channels=4,
).eval()
x = torch.rand(1, 3, 16, 16) * 2 - 1
with torch.no_grad():
    z = model.encode(x).latents
    loop, called = model.decode(z).sample, model(x).sample
    stored = model.unscale_latents((model.scale_latents(z) * 255).round() / 255)
    as_stored = model.decode(stored).sample
    cut = model.unscale_latents(model.scale_latents(torch.tensor([-5.0, 0.0, 5.0])))
print(f"|model(x) - decode(encode(x))|: {(called - loop).abs().max():.2g}")
print(f"|model(x) - decode(encode(x) in 256 steps)|: {(called - as_stored).abs().max():.2g}")
print(f"codes -5, 0, 5 become {cut.tolist()}")
same = (called - as_stored).abs().max() < 1e-6 < (called - loop).abs().max() and cut.tolist() == [-3.0, 0.0, 3.0]
sys.exit(0 if same else 1)
PY
