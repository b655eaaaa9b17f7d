"""Completion in real shells: `make test-shells` installs zsh and fish, and runs these."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

ZSH = """
PROMPT='> '; RPROMPT=''; unsetopt zle_bracketed_paste beep; zstyle ':completion:*' list-prompt ''
LISTMAX=10000; KEYTIMEOUT=1
show() { print -r -- "LINE<$BUFFER>"; zle -I; BUFFER=''; }; zle -N show; bindkey '^G' show
autoload -Uz compinit; compinit -u -D
source <(lrx completion zsh)
print READY
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder with two runs, and `lrx` on PATH."""
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    (bin_folder / "lrx").write_text(f'#!/bin/sh\nexec {sys.executable} -m lrx.cli "$@"\n')
    (bin_folder / "lrx").chmod(0o755)
    for name in ("first", "second"):
        (tmp_path / "work/runs" / name).mkdir(parents=True)
    monkeypatch.setenv("PATH", f"{bin_folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


def until(terminal: int, pattern: str) -> str:
    """Read what a terminal shows until a pattern is there."""
    shown, deadline = "", time.monotonic() + 60
    while time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.5)[0]:
            shown += os.read(terminal, 65536).decode(errors="replace")
            found = re.search(pattern, shown)
            if found:
                return found[1] if found.groups() else found[0]
    raise AssertionError(f"no {pattern} in {shown[-2000:]}")


def test_zsh_completes_the_line(place: Path) -> None:
    (place / "start.zsh").write_text(ZSH)
    terminal, theirs = pty.openpty()
    process = subprocess.Popen(
        ["zsh", "-f", "-i"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "dumb", "ZDOTDIR": str(place)},
        start_new_session=True,
    )
    os.close(theirs)
    try:
        os.write(terminal, b"source start.zsh\r")
        until(terminal, r"READY\r")
        for line, expected in {
            "lrx tra": "lrx train ",
            "lrx comp": "lrx completion ",
            "lrx completion z": "lrx completion zsh",
            "lrx train dataset=d": "lrx train dataset=dsprites ",
            "lrx train dataset=dsprites trainer.ste": "lrx train dataset=dsprites trainer.steps=",
            "lrx assay assay.num": "lrx assay assay.num_samples=",
            "lrx assay ckpt=runs/f": "lrx assay ckpt=runs/first/",
            "lrx show runs/s": "lrx show runs/second/",
            "lrx show --": "lrx show --all",
        }.items():
            os.write(terminal, f"{line}\t\x07".encode())
            assert until(terminal, r"LINE<(.*?)>") == expected
    finally:
        process.terminate()
        os.close(terminal)  # which ends an interactive shell
        process.wait()


def test_fish_offers_words(place: Path) -> None:
    def offered(line: str) -> list[str]:
        script = f"lrx completion fish | source; complete -C '{line}'"
        done = subprocess.run(["fish", "-c", script], cwd=place, capture_output=True, text=True, check=True)
        return done.stdout.splitlines()

    assert offered("lrx tra") == ["train\tfit an autoencoder, or resume an interrupted run"]
    assert offered("lrx completion ") == ["bash", "fish", "zsh"]
    assert offered("lrx train dataset=d") == ["dataset=dsprites"]
    assert "trainer.steps=" in offered("lrx train dataset=dsprites trainer.")
    assert not [word for word in offered("lrx train trainer.") if "_target_" in word]
    assert not offered("lrx assay netw")  # a group of other commands
    assert offered("lrx assay ckpt=runs/f") == ["ckpt=runs/first/"]
    assert [word.partition("\t")[0] for word in offered("lrx status ru")] == ["runs/"]
    assert offered("lrx show --") == ["--all"]
