"""Help, errors on narrow terminals and bash completion, without torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lrx.cli import main
from lrx.cli.commands.registry import COMMANDS


@pytest.mark.parametrize("words", [["--help"], ["train", "--help"], ["import", "-h"], ["collect", "-h"]])
def test_help_fits_80_columns(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main.main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 5
    assert max(len(line) for line in lines) <= 80


def test_error_wraps_on_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert main.main(["trian"]) == 2
    whole = capsys.readouterr().err
    assert whole.count("\n") == 1
    monkeypatch.setenv("COLUMNS", "40")
    assert main.main(["trian"]) == 2
    broken = capsys.readouterr().err
    assert max(len(line) for line in broken.splitlines()) <= 40
    assert broken.split() == whole.split()


@pytest.mark.parametrize(
    ("command", "groups"),
    [
        ("train", ["dataset", "experiment", "model", "network", "trainer"]),
        ("assay", ["assay"]),
        ("import", ["dataset", "layout", "model", "network"]),
    ],
)
def test_help_lists_the_groups_of_the_command(
    command: str, groups: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main([command, "--help"]) == 0
    listed = capsys.readouterr().out.partition("Groups (choose one of each):")[2].partition("Every key")[0]
    assert [line.partition(":")[0] for line in listed.splitlines() if line] == groups


def test_completion_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["completion", "--help"]) == 0
    assert 'eval "$(lrx completion bash)"' in capsys.readouterr().out


def test_help_and_cfg_without_torch(tmp_path: Path, environment: dict[str, str]) -> None:
    for words in (["--help"], ["train", "--help"], ["train", "--cfg", "job"], ["assay", "ckpt=x", "--cfg", "job"]):
        show = "print('torch' in sys.modules, file=sys.stderr)"
        code = f"import sys; from lrx.cli.main import main; main({words!r}); {show}"
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.stderr.strip() in ("False", ""), done.stderr
        assert "dataset" in done.stdout or "lrx train" in done.stdout
    assert not list(tmp_path.iterdir())


HELP_OF_EACH = """
import contextlib, io, sys
import lrx
own = [name for name in sys.modules if name.split(".")[0] in ("lrx", "numpy", "yaml", "hydra")]
assert own == ["lrx"], own  # what `import lrx` takes
from hydra._internal import config_loader_impl
from lrx.cli.commands.registry import COMMANDS
from lrx.cli.main import main

copies, kind = [], config_loader_impl.CachingConfigRepository
config_loader_impl.CachingConfigRepository = lambda repository: copies.append(1) or kind(repository)
for name in COMMANDS:
    copies.clear()
    with contextlib.redirect_stdout(io.StringIO()):
        assert main([name, "--help"]) == 0
    heavy = {"torch", "matplotlib", "scipy", "sklearn", "lightgbm", "networkx", "pandas"} & set(sys.modules)
    print(name, len(copies) <= 3, *heavy)
"""


def test_help_is_quick(environment: dict[str, str]) -> None:
    """No command imports a large package for its help, or copies Hydra's repository for each group (half a second)."""
    done = subprocess.run(
        [sys.executable, "-c", HELP_OF_EACH], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"{name} True" for name in COMMANDS]


def test_bash_completion(tmp_path: Path, environment: dict[str, str]) -> None:
    def complete(line: str) -> list[str]:
        script = f"""
            lrx() {{ {sys.executable} -m lrx.cli "$@"; }}
            source <(lrx completion bash)
            COMP_LINE={line!r} COMP_POINT={len(line)}; read -ra COMP_WORDS <<< "$COMP_LINE"
            [[ $COMP_LINE == *' ' ]] && COMP_WORDS+=('')
            COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))
            _lrx; printf '%s\\n' "${{COMPREPLY[@]}}"
        """
        done = subprocess.run(
            ["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout.split()

    assert complete("lrx tr") == ["train"]
    assert "dataset=dsprites" in complete("lrx train dataset=d")
    assert "trainer.steps=" in complete("lrx train trainer.")
    assert not [word for word in complete("lrx train trainer.") if "_target_" in word]
    assert "assay.num_samples=" in complete("lrx assay assay.num")
