"""Source code of a class of one's own: the file of its module, and the files beside it that this imports.

Imports are read from the source, and nothing is run. Of an installed package the file of the module and the version
count, since to follow the imports of a large one takes seconds.
"""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
from collections.abc import Iterator
from pathlib import Path

from lrx.core.checksum import file_sha256, sha256

OWN = "lrx"
INSTALLED = {"site-packages", "dist-packages"}


def code_sha256(module: str) -> str:
    """Return the SHA-256 of the source of a module; empty where there is no source, and for modules of lrx.

    OSError when a file cannot be read.
    """
    files, installed = source_files(module), _version(module)
    lines = [f"{name} {file_sha256(path)}" for name, path in sorted(files.items())]
    return sha256("\n".join([*lines, installed] if installed else lines)) if files else ""


def about_code(module: str) -> dict[str, str]:
    """Return what a result says of the source of a model's class: `code_sha256`; nothing for modules of lrx."""
    digest = code_sha256(module)
    return {"code_sha256": digest} if digest else {}


def source_files(module: str) -> dict[str, Path]:
    """Return the files of a module, its packages and what they import from the same place, by the name of the module.

    Of an installed package with a version, the module and its packages alone. Empty for modules of lrx, and where there
    is no source.
    """
    top, files, follow = module.partition(".")[0], dict[str, Path](), not _version(module)
    base = None if top == OWN else _folder_of(top)
    pending = list(_with_packages(module)) if base else []
    while pending and base:
        name = pending.pop()
        is_foreign = name.partition(".")[0] != top and bool(INSTALLED & set(base.parts))
        if name in files or is_foreign or name.partition(".")[0] == OWN:
            continue
        path = base.joinpath(*name.split("."))
        for file in (path / "__init__.py", path.with_name(f"{path.name}.py")):
            if file.is_file():
                files[name] = file
                if follow:
                    pending += _imports(file, name if file.name == "__init__.py" else name.rpartition(".")[0])
                break
    return files


def _version(module: str) -> str:
    """Return the version of the installed package that a module is of; empty where it is of none."""
    top = module.partition(".")[0]
    base = _folder_of(top)
    try:
        return importlib.metadata.version(top) if base and INSTALLED & set(base.parts) else ""
    except importlib.metadata.PackageNotFoundError:
        return ""


def _folder_of(top: str) -> Path | None:
    """Return the folder that a module or package of this name lies in."""
    try:
        spec = importlib.util.find_spec(top)  # of a name without dots, it imports nothing
    except (ValueError, ImportError):  # __main__ of an interactive session
        return None
    if spec is None:
        return None
    if spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations))).parent
    return Path(spec.origin).parent if spec.has_location and spec.origin else None


def _with_packages(name: str) -> Iterator[str]:
    """Yield a.b.c, and the packages a.b and a, which python imports before it."""
    while name:
        yield name
        name = name.rpartition(".")[0]


def _imports(file: Path, package: str) -> Iterator[str]:
    """Yield the names that the imports of a file may stand for: modules, or names within modules."""
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):  # which python reports when the file is imported
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            modules = [f"{module}.{alias.name}".lstrip(".") for alias in node.names]
        else:
            continue
        for name in modules:
            yield from _with_packages(name)
