#!/usr/bin/env bash
# Pillow 13.0.0: of one EXIF orientation, a TIFF is turned while it is loaded, and JPEG, PNG, WebP and AVIF are not.
#
# The size that is read before the pixels tells the same: a TIFF's is upright from the start, that of the others is as
# stored. Code that calls exif_transpose for "camera files" alone, or swaps width and height by the tag, is right for one
# kind and wrong for the other; ImageOps.exif_transpose after load() is right for all, as the TIFF has lost its tag then.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "pillow==13.0.0"
"$folder/venv/bin/python" - <<'PY'
import io
from PIL import Image, ImageOps

stored = Image.new("RGB", (8, 4))  # lies on its side
exif = Image.Exif()
exif[0x0112] = 6
sizes = {}
for kind in ("TIFF", "JPEG", "PNG", "WEBP", "AVIF"):
    file = io.BytesIO()
    stored.save(file, kind, exif=exif)
    picture = Image.open(file)
    header = picture.size
    picture.load()
    sizes[kind] = header, picture.size, ImageOps.exif_transpose(picture).size
    print(kind, "header", header, "loaded", picture.size, "after exif_transpose", sizes[kind][2])
lying, upright = (8, 4), (4, 8)
assert sizes.pop("TIFF") == (upright, upright, upright), "changed: TIFF"
assert set(sizes.values()) == {(lying, lying, upright)}, "changed: another format"
PY
