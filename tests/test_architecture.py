"""The house: who imports whom, and which libraries stay behind which door."""

from __future__ import annotations

import ast
from pathlib import Path

import lrx

ROOT = Path(lrx.__file__).parent

# A room may import rooms of a lower number, and its own package's files; nothing else of lrx.
LEVELS = {
    "allocator": 0,
    "atomic": 0,
    "checks": 0,
    "devices": 0,
    "factors": 0,
    "gaussian": 0,
    "noise": 0,
    "paths": 0,
    "wording": 0,
    "types": 1,
    "config": 1,
    "layouts": 1,
    "codes": 2,
    "half": 2,
    "labels": 2,
    "metrics": 2,
    "results": 2,
    "training": 2,
    "responses": 3,
    "terminal": 3,
    "weights": 3,
    "samples": 4,
    "estimators": 5,
    "models": 6,
    "data": 6,
    "assays": 6,
    "runs": 6,
    "report": 7,
    "slurm": 7,
    "commands": 8,
    "cli": 9,
}

# A library that stays behind one door, and the files that are the door.
DOORS = {
    "hydra": {"cli.py", "config.py", "slurm.py", "refusals.py"},
    "omegaconf": {"cli.py", "config.py", "slurm.py"},
    "rich": {"terminal"},
    "jinja2": {"report"},
    "matplotlib": {"report"},
    "safetensors": {"weights.py"},
    "wandb": {"trackers.py"},
}


def imports(path: Path) -> set[str]:
    """Every module that a file imports, dotted, wherever in the file the import stands."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            module = node.module or ""
            names |= {f"{module}.{alias.name}" for alias in node.names} if module == "lrx" else {module}
    return names


def room(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def files() -> list[Path]:
    return [path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py"]


def test_every_file_has_a_level() -> None:
    assert {room(path) for path in files()} == set(LEVELS)


def test_imports_point_down() -> None:
    wrong = []
    for path in files():
        for name in imports(path):
            parts = name.split(".")
            if parts[0] != "lrx" or len(parts) < 2 or parts[1] not in LEVELS:
                continue
            if parts[1] != room(path) and LEVELS[parts[1]] >= LEVELS[room(path)]:
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert not wrong


def test_assays_do_not_import_each_other() -> None:
    for path in (ROOT / "assays").glob("*.py"):
        assert not [name for name in imports(path) if name.startswith("lrx.assays.")], path


def test_libraries_stay_behind_their_doors() -> None:
    wrong = []
    for path in files():
        for name in imports(path):
            library = name.split(".")[0]
            if library in DOORS and path.name not in DOORS[library] and room(path) not in DOORS[library]:
                wrong.append(f"{path.relative_to(ROOT)} imports {library}")
    assert not wrong


def test_the_walk_sees_imports() -> None:
    assert "lrx.responses" in imports(ROOT / "assays" / "response_matrix.py")
    assert "hydra" in imports(ROOT / "cli.py")
    assert "lrx.training" in imports(ROOT / "training" / "loop.py")
