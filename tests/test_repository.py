"""Files of the repository that other tools read: citation, workflow, hooks, container; they agree with the package."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import yaml

import lrx

ROOT = Path(__file__).parents[1]


def loaded(name: str) -> dict:
    return yaml.safe_load((ROOT / name).read_text())


def test_citation_names_this_version() -> None:
    citation = loaded("CITATION.cff")
    assert citation["version"] == lrx.__version__
    assert citation["preferred-citation"]["title"] in " ".join((ROOT / "README.md").read_text().split())


def test_changelog_begins_with_this_version() -> None:
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == lrx.__version__


def test_workflow_runs_ci_from_the_oldest_python_on() -> None:
    job = loaded(".github/workflows/ci.yml")["jobs"]["ci"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert f">={job['strategy']['matrix']['python'][0]}" == project["requires-python"]
    assert any(".ci/run" in step.get("run", "") for step in job["steps"])


def test_hooks_run_the_linters_of_make() -> None:
    entries = [hook["entry"] for repo in loaded(".pre-commit-config.yaml")["repos"] for hook in repo["hooks"]]
    makefile = (ROOT / "Makefile").read_text()
    assert all(entry.replace(".venv/bin", "$(BIN)") in makefile for entry in entries)


def test_container_copies_what_the_package_needs() -> None:
    recipe = (ROOT / "scripts" / "apptainer.def").read_text()
    copied = re.findall(r"^    (\S+) /opt/lrx/(\S+)$", recipe, re.MULTILINE)
    assert all((ROOT / source).exists() and source == target for source, target in copied)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    needed = {project["project"]["readme"], *project["project"]["license-files"], "pyproject.toml", "constraints.txt"}
    packages = {folder.split("/")[0] for folder in project["tool"]["setuptools"]["package-dir"].values()}
    assert {source for source, _ in copied} == needed | packages
    extras = re.findall(r"/opt/lrx\[([a-z,]+)\]", recipe)[0].split(",")
    assert {*extras} <= {*project["project"]["optional-dependencies"]}
