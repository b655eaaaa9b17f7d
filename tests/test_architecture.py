"""The house: who imports whom, and which libraries stay behind which door."""

from __future__ import annotations

import ast
from pathlib import Path

import lrx

ROOT = Path(lrx.__file__).parent

# A room may import rooms of a lower number, and its own package's files; nothing else of lrx.
LEVELS = {
    "factors": 0,
    "wording": 0,
    "gaussian": 0,
    "paths": 0,
    "compiling": 0,
    "meeting": 0,
    "types": 1,
    "atomic": 0,
    "interrupts": 0,
    "devices": 1,
    "allocator": 1,
    "shell": 1,
    "checks": 1,
    "codes": 2,
    "half": 2,
    "moments": 3,
    "labels": 2,
    "layouts": 2,
    "decoding": 3,
    "distances": 2,
    "fields": 2,
    "latent_paths": 2,
    "metrics": 2,
    "models": 2,
    "responses": 3,
    "response_rows": 4,
    "informative": 2,
    "latent_pairs": 3,
    "path_scores": 4,
    "pieces": 2,
    "shards": 3,
    "jacobians": 3,
    "features": 3,
    "checkpoint": 1,
    "data": 3,
    "conditioned": 4,
    "noise": 0,
    "distributed": 3,
    "training": 4,
    "curves": 4,
    "runs": 4,
    "status": 4,
    "trackers": 4,
    "refusals": 5,
    "slurm": 6,
    "config": 5,
    "weights": 2,
    "inception": 3,
    "feature_spaces": 4,
    "results": 4,
    "assays": 5,
    "tables": 5,
    "console": 6,
    "report": 6,
    "result_scan": 5,
    "run_table": 6,
    "collected": 7,
    "run_tree": 5,
    "collect": 8,
    "watch": 7,
    "folders": 9,
    "prepare": 7,
    "building": 7,
    "assaying": 8,
    "commands": 9,
    "cli": 10,
}

# A library that stays behind one door, and the files that are the door.
DOORS = {
    "hydra": {"cli.py", "config.py", "slurm.py", "refusals.py"},
    "omegaconf": {"cli.py", "config.py", "slurm.py"},
    "rich": {"console.py", "tables.py"},
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
    assert "lrx.checkpoint" in imports(ROOT / "training.py")
