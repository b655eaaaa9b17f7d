#!/usr/bin/env bash
# h5py 3.16.0 (HDF5 2.0.0): a copied group keeps the dimension scales of the original; in another file it has none.
#
# Group.copy copies the scales too, but DIMENSION_LIST is a list of references, and those are not turned to the copies.
# Within one file the labels of the copy are those of the original, and change with it. In another file len(dims[0])
# still says 1, and reading the scale is a RuntimeError. Attach the scales again after copying.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "h5py==3.16.0" "numpy==2.4.6"
cd "$folder" && venv/bin/python - <<'PY'
import h5py

with h5py.File("first.h5", "w") as first, h5py.File("second.h5", "w") as second:
    run = first.create_group("run")
    run["latent"] = [0.0, 1.0, 2.0]
    run["latent"].make_scale("latent")
    run["response"] = [0.1, 0.2, 0.3]
    run["response"].dims[0].attach_scale(run["latent"])

    first.copy("run", "copy")
    scale = first["copy/response"].dims[0][0]
    print("copy in the file: scale of /copy/response is", scale.name)
    assert "latent" in first["copy"] and scale.name == "/run/latent", "changed: the copy has its own scale"
    back = [first[dataset].name for dataset, _ in first["copy/latent"].attrs["REFERENCE_LIST"]]
    print("copy in the file: /copy/latent says it is the scale of", *back)

    first.copy("run", second, "copy")
    response = second["copy/response"]
    print("copy in another file: holds", list(second["copy"]), "number of scales", len(response.dims[0]))
    assert len(response.dims[0]) == 1, "changed: another number of scales"
    try:
        response.dims[0][0]
        raise SystemExit("changed: the scale of the copy can be read")
    except RuntimeError as error:
        print("copy in another file: RuntimeError:", error)
    response.attrs.pop("DIMENSION_LIST")
    response.dims[0].attach_scale(second["copy/latent"])
    print("attached again:", response.dims[0][0].name)
PY
