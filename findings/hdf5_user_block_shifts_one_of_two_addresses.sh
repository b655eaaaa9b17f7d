#!/usr/bin/env bash
# h5py 3.16.0 (HDF5 2.0.0): of the two addresses that HDF5 gives for a data set, a user block is counted in one alone.
#
# h5o.get_info(...).addr, and the address in a link, begin after the user block; DatasetID.get_offset(), where the numbers
# are, begins at the file's first byte. A tool that indexes files by bytes needs the size of the user block for the first.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "h5py==3.16.0" "numpy==2.4.6"
cd "$folder" && venv/bin/python - <<'PY'
import struct

import h5py

for size in (0, 4096):
    with h5py.File("scores.h5", "w", userblock_size=size) as file:
        file["mig"] = 0.25
    with h5py.File("scores.h5") as file:
        stored = file["mig"].id
        header, numbers = h5py.h5o.get_info(stored).addr, stored.get_offset()
        link = file.id.links.get_info(b"mig").u
    content = open("scores.h5", "rb").read()
    (number,) = struct.unpack_from("<d", content, numbers)
    # version 1 of an object header begins with 1, 0
    begins = {"as given": content[header : header + 2], "after the block": content[size + header : size + header + 2]}
    print(f"user block of {size}: number at {numbers} is {number}; header at {header} ({link} by the link):", begins)
    assert number == 0.25, "changed: the offset of the numbers does not count the user block"
    assert header == link and begins["after the block"] == b"\1\0", "changed: the address of the header"
    assert size == 0 or begins["as given"] != b"\1\0", "changed: the address of the header counts the user block"
PY
