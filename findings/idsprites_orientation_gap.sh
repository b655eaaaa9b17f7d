#!/usr/bin/env bash
# idsprites 1.0.1: the 32 default orientations are not evenly spaced around the circle.
#
# They are numpy.linspace(0, 2 pi 32/33, 32): 31 steps of 11.261 degrees, and from the last to the first one 10.909.
# Even spacing would be 11.25, from linspace(0, 2 pi 31/32, 32) or with endpoint=False. Whoever takes orientation for a
# cyclic factor of equal steps, as in estimates of equivariance, is off by up to a third of a degree.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "idsprites==1.0.1" "torch==2.13.0" "numpy==2.4.6" "numba==0.68.1" "opencv-python==5.0.0.93"
cd "$folder" && venv/bin/python - <<'PY'
import numpy as np
from idsprites import InfiniteDSprites

angles = np.degrees(InfiniteDSprites(img_size=64).ranges["orientation"])
gaps = np.diff([*angles, angles[0] + 360])
print(f"{len(angles)} orientations from {angles[0]:.3f} to {angles[-1]:.3f} degrees")
print(f"steps {np.unique(gaps[:-1].round(3)).tolist()}, and {gaps[-1]:.3f} from the last to the first one; even: {360 / 32}")
assert len(angles) == 32, "changed: another number of orientations"
assert np.allclose(gaps[:-1], 360 * 32 / 33 / 31), f"changed: steps {gaps[:-1]}"
assert np.isclose(gaps[-1], 360 / 33), f"changed: gap {gaps[-1]}"
PY
