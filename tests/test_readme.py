"""Every command and snippet of README, run small."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import torch

from tests.conftest import Lrx

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SMALL = {"train": ["trainer.steps=2", "trainer.batch_size=4"], "assay": ["assay.num_samples=4", "assay.target_se=null"]}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.S)


def commands(text: str) -> list[list[str]]:
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    return [shlex.split(line) for line in lines if line]


def small(words: list[str]) -> list[str]:
    few = ["assay.only=[response_matrix]", "assay.assays.response_matrix.num_samples=4"]
    if "assay=paper" in words:
        return [*words, *few]
    if "then=paper" in words:
        words = [
            "then=[paper," + ",".join(f"'{word}'" for word in few) + "]" if w == "then=paper" else w for w in words
        ]
    words = ["hydra.sweeper.n_trials=2" if word.startswith("hydra.sweeper.n_trials=") else word for word in words]
    return [*words, *SMALL.get(words[0], [])]


@pytest.mark.filterwarnings("ignore")  # of the imports of optuna, and of lrx about models with random weights
@pytest.mark.usefixtures("without_pictures")
def test_readme_commands_run(lrx: Lrx, tmp_path: Path) -> None:
    found = [words[1:] for text in blocks("bash") for words in commands(text) if words[0] == "lrx"]
    assert len(found) >= 8
    for words in found:
        if words[0] == "import":  # the weights that a person brings
            conv5_run = next((tmp_path / "outputs/train").glob("*-*_*/checkpoint.pt"))  # the dated folder
            state = torch.load(conv5_run, weights_only=True)["model"]
            heads = {"encoder.5.5.weight": (48, 128), "encoder.5.5.bias": (48,), "decoder.0.0.weight": (128, 24)}
            torch.save(state | {key: torch.zeros(shape) for key, shape in heads.items()}, tmp_path / "vae.pt")
        done = lrx(*small(words))
        assert done.returncode == 0, (words, done.stderr)
    for snippet in blocks("python"):
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(compile(snippet, "README.md", "exec"), {"__name__": "readme"})
        assert printed.getvalue()


def test_the_demo_runs_its_commands(lrx: Lrx, tmp_path: Path) -> None:
    make = ["make", "-n", "-o", ".venv/lrx", "demo"]
    recipe = subprocess.run(make, cwd=ROOT, capture_output=True, text=True, check=True)
    found = [words[1:] for words in commands(recipe.stdout) if words[0].endswith("/lrx")]
    assert [words[0] for words in found] == ["train", "assay"]
    for words in found:
        done = lrx(*small(words))
        assert done.returncode == 0, done.stderr
    assert "response matrix" in done.stdout
    assert (tmp_path / "outputs/assay/demo/response_matrix.png").is_file()


@pytest.mark.parametrize("target", ["demo", "test", "test-slurm", "lint", "types", "docs", "bench", "clean", "help"])
def test_every_make_target_of_the_readme_exists(target: str) -> None:
    assert subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, check=False).returncode == 0
