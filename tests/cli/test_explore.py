"""`lrx explore` as typed: the page of a run until Ctrl-C, a strip by its command, and what cannot be explored."""

from __future__ import annotations

import importlib.util
import json
import shlex
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

import lrx as package
from lrx.cli.commands import explore
from lrx.explore.stored_matrix import stored_matrix
from tests.conftest import Lrx

VIEWS = [{"image": 3, "set": {"1": 0.5}}, {"image": 3, "other": 8, "mix": 0.25}]


def ask(address: str, path: str, question: object = None) -> bytes:
    content = None if question is None else json.dumps(question).encode()
    request = urllib.request.Request(address + path, content, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return bytes(answer.read())


def heed_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # which a shell has its background jobs ignore


@pytest.fixture
def page(place: Path, environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """`lrx explore` of the finished run, in a process of its own."""
    words = [sys.executable, "-m", "lrx.cli", "explore", "ckpt=outputs/train/run"]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        words, cwd=place, env=environment, stdout=pipe, stderr=pipe, text=True, preexec_fn=heed_ctrl_c
    ) as started:
        yield started
        started.kill()


def test_page_ends_with_ctrl_c_and_command_draws_again(place: Path, page: subprocess.Popen[str], lrx: Lrx) -> None:
    before = sorted(place.rglob("*"))
    assert page.stdout is not None
    address = page.stdout.readline().strip()
    assert address.startswith("http://127.0.0.1:")
    about = json.loads(ask(address, "session"))
    assert about["matrix"]["source"] == "outputs/assay/run/result.h5 (16 draws, base prior)"
    assert about["factors"] == [{"name": "strand", "size": 2, "classes": []}]
    question = {"views": VIEWS, "units": [1, 0]}
    drawn = ask(address, "strip", {**question, "format": "png"})
    typed = json.loads(ask(address, "strip", {**question, "format": "command"}))["command"]
    page.send_signal(signal.SIGINT)
    printed, said = page.communicate(timeout=20)
    assert (page.returncode, printed) == (0, "")
    assert said == "for this machine alone; Ctrl-C ends it\nstopped\n"
    assert sorted(place.rglob("*")) == before

    done = lrx(*shlex.split(typed)[1:])
    assert (done.returncode, done.stderr) == (0, "strip.png\n")
    assert (place / "strip.png").read_bytes() == drawn


def test_missing_packages_are_named(lrx: Lrx, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    done = lrx("explore", "ckpt=outputs/train/run")
    assert done.returncode == 2
    assert done.stderr == "lrx: lrx explore needs starlette and uvicorn: pip install 'lrx[explore]'\n"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "lrx explore needs ckpt=..."),
        (["ckpt=nothing"], "ckpt=nothing: no such file or folder; give a run folder or a checkpoint file"),
        (["ckpt=x", "port=0"], "port must be null or a whole number of at least 1, not 0"),
        (["ckpt=x", "port=70000"], "port must be null or a whole number from 1 to 65535, not 70000"),
        (["ckpt=x", "browser=maybe"], "browser must be true or false, not 'maybe'"),
        (["ckpt=x", "out=a.svg"], "views are drawn into a file: give both views and out, or neither for a page"),
        (["ckpt=x", "views=[]", "out=a.gif"], "out must end in one of .png, .svg, .pdf, not 'a.gif'"),
        (["ckpt=outputs/train/run", "views=[]", "out=a.png"], "views must be a list such as"),
        (["ckpt=outputs/train/run", "views=[{image:-1}]", "out=a.png"], "image of a view must be a whole number"),
        (["ckpt=outputs/train/run", "views=[{image:1}]", "show=[9]", "out=a.png"], "show must be a list of whole"),
    ],
)
def test_wrong_words_are_one_line(place: Path, lrx: Lrx, words: list[str], said: str) -> None:
    done = lrx("explore", *words)
    assert done.returncode == 2
    assert done.stderr.startswith(f"lrx: {said}")
    assert done.stderr.count("\n") == 1
    assert not (place / "a.png").exists()


def test_ctrl_c_while_loading(lrx: Lrx, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(explore, "load", interrupted)
    done = lrx("explore", "ckpt=x")
    assert done.returncode == 130
    assert done.stderr == "lrx: stopped; the same command starts it again\n"


NET = """
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.down, self.up = torch.nn.Linear(64, 3), torch.nn.Linear(3, 64)

    def code(self, x):
        return self.down(x.view(len(x), -1)), None

    def image(self, z):
        return self.up(z).view(-1, 1, 8, 8)
"""


@pytest.mark.filterwarnings("ignore:.* reconstructs no better than the mean image")  # its weights are random
def test_imported_class_needs_trust(lrx: Lrx, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "net_to_explore.py").write_text(NET)
    parts = {"down": torch.nn.Linear(64, 3), "up": torch.nn.Linear(3, 64)}
    torch.save(torch.nn.ModuleDict(parts).state_dict(), tmp_path / "weights.pt")
    np.save(tmp_path / "images.npy", np.random.default_rng(0).integers(0, 256, (40, 1, 8, 8), dtype=np.uint8))
    parts_of = ["autoencoder.encode=code", "autoencoder.decode=image", "autoencoder.output=logits"]
    words = ["dataset=arrays", "dataset.path=images.npy", "name=mine", "trust=[net_to_explore]", *parts_of]
    assert lrx("import", "weights=weights.pt", "autoencoder._target_=net_to_explore.Net", *words).returncode == 0
    typed = ["ckpt=outputs/import/mine", "views=[{image:3,set:{1:2}}]", "out=strip.png"]
    refused = lrx("explore", *typed)
    assert refused.returncode == 2
    assert "add trust=[net_to_explore]" in refused.stderr
    assert lrx("explore", *typed, "trust=[net_to_explore]").returncode == 0
    assert (tmp_path / "strip.png").is_file()


def test_matrix_of_another_model_is_not_shown(place: Path, lrx: Lrx) -> None:
    assert lrx("train", "experiment=helix", "trainer.steps=1", "seed=5", "name=other").returncode == 0
    for name, found in (("run", True), ("other", False)):
        run = package.load(f"outputs/train/{name}")
        matrix = stored_matrix(run.path, run.model, run.dataset, run.provenance, warn=pytest.fail)
        assert (matrix is not None) == found


def test_python_draws_the_same_strip(place: Path, lrx: Lrx) -> None:
    """Without `show` it has the latents that answer most in the stored matrix, from python as from the command."""
    words = ["ckpt=outputs/train/run", "views=[{image:3,set:{1:2}}]", "out=shell.png"]
    assert lrx("explore", *words).returncode == 0
    run = package.load("outputs/train/run")
    package.explore(run, views=[{"image": 3, "set": {1: 2}}], out="python.png")
    assert (place / "python.png").read_bytes() == (place / "shell.png").read_bytes()
