#!/usr/bin/env bash
# h5py 3.16.0 (HDF5 2.0.0), numpy 2.4.6: fixed-length text types of ASCII and UTF-8 are equal, and do not convert.
#
# The character set is metadata of the dtype, which numpy leaves out of == and hash(). HDF5 has no conversion between the
# two, so that bytes in a plain "S4" array, which stands for ASCII, cannot be written into a UTF-8 data set of the same
# length, though both dtypes compare equal; a cache of HDF5 types by dtype makes a file unreadable after another one.
# Text of variable length, and astype(dtype of the data set) before writing, work.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "h5py==3.16.0" "numpy==2.4.6"
cd "$folder" && venv/bin/python - <<'PY'
import h5py
import numpy as np

ascii_type, utf8_type = (h5py.string_dtype(encoding, 4) for encoding in ("ascii", "utf-8"))
print("equal:", ascii_type == utf8_type, "same hash:", hash(ascii_type) == hash(utf8_type))
assert ascii_type == utf8_type and hash(ascii_type) == hash(utf8_type), "changed: the dtypes differ"
names = np.array([b"hue", b"size"], "S4")
with h5py.File("names.h5", "w") as file:
    try:
        file.create_dataset("factor", data=names, dtype=utf8_type)
        raise SystemExit("changed: ASCII bytes are written as UTF-8")
    except OSError as error:
        print("written as UTF-8: OSError:", error)
    stored = file.create_dataset("again", data=names.astype(utf8_type), dtype=utf8_type)
    print("after astype:", stored[()])
    try:
        stored.read_direct(np.empty(2, ascii_type))
        raise SystemExit("changed: UTF-8 is read as ASCII")
    except OSError as error:
        print("read as ASCII: OSError:", error)
PY
