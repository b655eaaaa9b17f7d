"""Layout of the code: which package imports which, sizes of files and functions, first words of docstrings."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import lrx

ROOT = Path(lrx.__file__).parent

# A room may import rooms of a lower level, and its own files; nothing else of lrx.
LEVELS = {
    "core": 1,
    "storage": 2,
    "metrics": 2,
    "models": 2,
    "responses": 2,
    "data": 3,
    "sample_quality": 3,
    "training": 3,
    "assays": 4,
    "runs": 4,
    "report": 5,
    "explore": 5,
    "cli": 6,
}

# Libraries that only some rooms or files import.
DOORS = {
    "hydra": {"cli"},
    "omegaconf": {"cli"},
    "rich": {"cli"},
    "jinja2": {"report"},
    # catalog.py and result.py name its types
    "matplotlib": {"report", "plot.py", "plotting", "catalog.py", "result.py", "strip.py"},
    "safetensors": {"state_dict_file.py"},
    "wandb": {"trackers.py"},
    "starlette": {"explore"},
    "uvicorn": {"explore"},
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
    for path in (ROOT / "assays").glob("*/*.py"):
        shared = ("plotting", "description", "catalog", "requirements", "summary", "answers")
        own = tuple(f"lrx.assays.{name}" for name in (path.parent.name, *shared))
        assert not [name for name in imports(path) if name.startswith("lrx.assays.") and not name.startswith(own)], path


def test_libraries_stay_behind_their_doors() -> None:
    wrong = []
    for path in files():
        for name in imports(path):
            library = name.split(".")[0]
            if library in DOORS and not DOORS[library] & {*path.relative_to(ROOT).parts}:
                wrong.append(f"{path.relative_to(ROOT)} imports {library}")
    assert not wrong


def test_the_walk_sees_imports() -> None:
    assert "lrx.responses.draws" in imports(ROOT / "assays" / "response_matrix" / "assay.py")
    assert "hydra" in imports(ROOT / "cli" / "main.py")
    assert "lrx.training" in imports(ROOT / "training" / "loop.py")


def test_arrows_between_packages() -> None:
    arrows = {
        (room(path), name.split(".")[1])
        for path in files()
        for name in imports(path)
        if name.startswith("lrx.") and name.split(".")[1] in LEVELS and name.split(".")[1] != room(path)
    }
    assert len(arrows) <= 45, sorted(arrows)


def test_files_are_short() -> None:
    long = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in files()}
    assert not {name: lines for name, lines in long.items() if lines > 250}


def functions(path: Path) -> Iterator[tuple[str, ast.FunctionDef]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", node


def test_functions_have_at_most_8_parameters() -> None:
    def count(node: ast.FunctionDef) -> int:
        names = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
        return len([name for name in names if name not in ("self", "cls")])

    assert not [f"{where}: {count(node)}" for path in files() for where, node in functions(path) if count(node) > 8]


ARTICLES = {"a", "an", "the", "what", "which", "how", "whether", "who", "where", "when", "why", "so", "one"}


def test_docstrings_begin_with_a_verb_or_noun() -> None:
    wrong = []
    for path in files():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module):
                words = (ast.get_docstring(node) or "").split()
                if words and words[0].lower().strip("`'\",") in ARTICLES:
                    wrong.append(f"{path.relative_to(ROOT)}: {' '.join(words[:6])}")
    assert not wrong, f"{len(wrong)} docstrings: {wrong[:20]}"


def test_every_package_is_installed() -> None:
    listed = tomllib.loads((ROOT.parent / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"][
        "packages"
    ]
    found = {".".join(path.parent.relative_to(ROOT.parent).parts) for path in ROOT.rglob("__init__.py")}
    assert found <= {*listed}  # an editable install finds those that are not listed, too
