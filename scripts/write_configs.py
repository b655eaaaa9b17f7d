"""Write configs/assay/*.yaml from the Settings of the assays, which hold every default, meaning and bound.

    python scripts/write_configs.py

A test compares the files with what this writes (tests/assays/test_settings.py).
"""

from __future__ import annotations

from pathlib import Path

from lrx.assays import catalog
from lrx.assays.paper.assay import OVERRIDES
from lrx.core.settings import AssaySettings, as_yaml, yaml_lines

FOLDER = Path(__file__).parents[1] / "configs" / "assay"


def assay_yaml(name: str) -> str:
    """Return the yaml of one assay."""
    description = catalog.descriptions()[name]
    settings = catalog.settings_of(name)
    lines = [f"# {description.title}: {description.question}", f"_target_: {settings.__module__}.Settings"]
    return "\n".join([*lines, *yaml_lines(settings)]) + "\n"


def paper_yaml() -> str:
    """Return the yaml of `assay=paper`: the assays whose description says `in_paper`, and what differs in it."""
    names = [name for name, description in catalog.descriptions().items() if description.in_paper]
    overrides = [
        f"  {name}: {{{', '.join(f'{key}: {as_yaml(value)}' for key, value in values.items())}}}"
        for name, values in OVERRIDES.items()
    ]
    lines = [
        "# Every assay of Leeb et al. 2022 that fits the data set, into one file; a setting is",
        "# assay.assays.metrics.preset=study",
        "defaults:",
        *(f"  - {name}@assays.{name}" for name in names),
        "  - _self_",
        "_target_: lrx.assays.paper.assay.Settings",
        "only: null   # such as [response_matrix,metrics]; null: all that fit the data set",
        "assays:",
        *overrides,
        *yaml_lines(AssaySettings),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write all files."""
    for name in catalog.descriptions():
        (FOLDER / f"{name}.yaml").write_text(assay_yaml(name), encoding="utf-8")
    (FOLDER / "paper.yaml").write_text(paper_yaml(), encoding="utf-8")


if __name__ == "__main__":
    main()
