#!/usr/bin/env bash
# Pillow 13.0.0: once load() of a damaged image has failed, it succeeds, and the picture holds what was decoded so far.
#
# For a PNG the first load() may be one that nobody wrote: getexif() decodes the pixels, because EXIF notes may follow
# them. Code that reads the orientation first, and takes any error for "no EXIF", gets wrong pixels without an error from
# then on. So load() comes first, and a picture whose load() has failed is not to be used again.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "pillow==13.0.0"
"$folder/venv/bin/python" - <<'PY'
import io
import random
from PIL import Image

random.seed(0)
image = Image.frombytes("RGB", (64, 64), random.randbytes(64 * 64 * 3))
file = io.BytesIO()
image.save(file, "PNG")
content = bytearray(file.getvalue())
content[content.index(b"IDAT") + 500] ^= 1

for name in ("load", "getexif"):
    picture = Image.open(io.BytesIO(content))
    try:
        getattr(picture, name)()
        raise SystemExit(f"changed: {name}() of a damaged PNG succeeds")
    except OSError as error:
        print(f"{name}(): {error}")
    picture.load()
    other = sum(a != b for a, b in zip(picture.tobytes(), image.tobytes(), strict=True))
    print(f"load() after that: no error, {other:,} of {64 * 64 * 3:,} values differ")
    assert other, "changed: the pixels are right"
PY
