"""The command line as typed: train, assay, import, sweep, be refused, and be killed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
import xarray

from lrx.cli import main
from lrx.runs import status
from lrx.training import checkpoint
from tests.conftest import TINY, Lrx


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    return checkpoint.load(folder / "checkpoint.pt").model


def assert_same_weights(one: Path, other: Path) -> None:
    first, second = weights_of(one), weights_of(other)
    assert first.keys() == second.keys()
    for key, value in first.items():
        assert torch.equal(value, second[key]), key


def assert_refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """Exit status 2 and one line that holds all these words."""
    assert done.returncode == 2, (done.returncode, done.stderr)
    lines = [line for line in done.stderr.splitlines() if not line.startswith("preparing")]
    assert len(lines) == 1, done.stderr
    for word in words:
        assert word in lines[0], lines[0]


# ----------------------------------------------------------------------------------------------- the main job


def test_train_assay_and_open_the_result_by_label(lrx_process: Lrx, tmp_path: Path) -> None:
    trained = lrx_process(
        *("train", "dataset=dsprites", "model=betavae", "name=sprites"),
        *("trainer.steps=3", "trainer.batch_size=16", "trainer.log_every=1"),
    )
    assert trained.returncode == 0, trained.stderr
    assert "rendered" in trained.stderr
    run = tmp_path / "outputs/train/sprites"
    visible = {path.name for path in run.iterdir() if not path.name.startswith(".")}
    assert visible == {"checkpoint.pt", "config.yaml", "metrics.csv", "metrics.jsonl", "status.json"}
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2, 3]
    assert all(np.isfinite(row["loss"]) for row in rows)

    assayed = lrx_process("assay", f"ckpt={run}", "assay=response_matrix", "assay.num_samples=32", "name=sprites")
    assert assayed.returncode == 0, assayed.stderr
    assert "response matrix" in assayed.stdout
    folder = tmp_path / "outputs/assay/sprites"
    assert (folder / "response_matrix.png").stat().st_size > 1000
    with xarray.open_dataset(folder / "result.h5", engine="h5netcdf", group="response_matrix") as opened:
        value = opened.matrix.sel(intervened=3, responding=7)
        assert opened.matrix.dims == ("intervened", "responding")
        assert value.shape == ()
        assert np.isfinite(value)
        assert opened.matrix_se.sel(intervened=3, responding=7) >= 0
    with xarray.open_dataset(folder / "result.h5", engine="h5netcdf") as root:
        assert root.attrs["dataset"] == "dsprites"
        assert root.attrs["dataset_source"] == "rendered"
        assert root.attrs["checkpoint_sha256"]
        assert "response_matrix" in root.attrs["config"]

    again = lrx_process("assay", f"ckpt={run}", "assay=response_matrix", "assay.num_samples=32", "name=sprites")
    assert again.returncode == 0
    assert "finished" in again.stderr


def test_a_checkpoint_file_and_hydra_run_dir_are_honoured(lrx_process: Lrx, tmp_path: Path) -> None:
    assert lrx_process("train", *TINY, "hydra.run.dir=elsewhere/run").returncode == 0
    done = lrx_process(
        "assay", "ckpt=elsewhere/run/checkpoint.pt", "assay.num_samples=16", "hydra.run.dir=elsewhere/assay"
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "elsewhere/assay/result.h5").is_file()
    assert not (tmp_path / "outputs").exists()


def test_several_assays_of_one_command_are_groups_of_one_file(lrx: Lrx, tmp_path: Path) -> None:
    assert lrx("train", *TINY, "name=helix").returncode == 0
    words = ["assay", "ckpt=outputs/train/helix", "assay=paper", "name=all"]
    refused = lrx(*words, "assay.only=[conditioned_response]")
    assert_refused(refused, "assay.only=conditioned_response", "double helix has none")
    done = lrx(*words, "assay.only=[response_matrix,traversal]", "assay.assays.response_matrix.num_samples=32")
    assert done.returncode == 0, done.stderr
    assert "response matrix" in done.stdout
    assert "traversal" in done.stdout
    folder = tmp_path / "outputs/assay/all"
    assert {path.stem for path in folder.glob("*.png")} == {"response_matrix", "traversal"}
    for group in ("response_matrix", "traversal"):
        with xarray.open_dataset(folder / "result.h5", engine="h5netcdf", group=group) as opened:
            assert len(opened.data_vars) > 0


def test_without_a_name_the_folder_is_dated(lrx: Lrx, tmp_path: Path) -> None:
    assert lrx("train", *TINY).returncode == 0
    (folder,) = (tmp_path / "outputs/train").iterdir()
    assert folder.name[:4].isdigit()


def test_a_sweep_makes_one_run_a_job_and_reports_the_one_that_is_refused(lrx: Lrx, tmp_path: Path) -> None:
    done = lrx("train", *TINY, "seed=0,1,-1", "name=sweep", "-m")
    assert done.returncode == 2
    assert "seed=-1" in done.stderr
    assert "job 2" in done.stderr
    assert "Traceback" not in done.stderr
    lines = done.stdout.splitlines()  # one for each job that was done
    assert len(lines) == 2
    assert all("train: loss " in line for line in lines)
    assert [path.name for path in sorted((tmp_path / "outputs/train/sweep").glob("*/checkpoint.pt"))] == [
        "checkpoint.pt"
    ] * 2
    folders = {
        status.read(path).overrides[-2]: path for path in (tmp_path / "outputs/train/sweep").iterdir() if path.is_dir()
    }
    first, second = weights_of(folders["seed=0"]), weights_of(folders["seed=1"])
    assert not torch.equal(first["encoder.1.weight"], second["encoder.1.weight"])


# ------------------------------------------------------------------------------------- going on, and not going on


def test_killed_at_any_moment_and_started_again_gives_the_weights_of_an_uninterrupted_run(
    tmp_path: Path, environment: dict[str, str], lrx_process: Lrx
) -> None:
    words = ["train", "dataset=dsprites", "model=betavae", "trainer.steps=30", "trainer.batch_size=8"]
    words += ["trainer.checkpoint_every=5", "trainer.log_every=1"]
    assert lrx_process(*words, "name=whole").returncode == 0
    metrics = tmp_path / "outputs/train/killed/metrics.jsonl"
    for rows in (3, 12, 21):  # before the first checkpoint, and between later ones
        process = subprocess.Popen(
            [sys.executable, "-m", "lrx.cli", *words, "name=killed"], cwd=tmp_path, env=environment
        )
        deadline = time.monotonic() + 120
        while not metrics.exists() or len(metrics.read_text().splitlines()) < rows:
            assert process.poll() is None, "the run ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    resumed = lrx_process(*words, "name=killed")
    assert resumed.returncode == 0, resumed.stderr
    assert "resuming at step" in resumed.stderr
    whole, killed = tmp_path / "outputs/train/whole", tmp_path / "outputs/train/killed"
    assert_same_weights(whole, killed)
    assert (whole / "metrics.jsonl").read_text() == (killed / "metrics.jsonl").read_text()
    assert (whole / "metrics.csv").read_text() == (killed / "metrics.csv").read_text()

    before = (killed / "checkpoint.pt").read_bytes()
    finished = lrx_process(*words, "name=killed")
    assert finished.returncode == 0
    assert "finished" in finished.stderr
    assert (killed / "checkpoint.pt").read_bytes() == before


def test_another_config_in_the_same_folder_is_refused_with_the_keys(lrx: Lrx, tmp_path: Path) -> None:
    assert lrx("train", *TINY, "name=mine").returncode == 0
    before = (tmp_path / "outputs/train/mine/checkpoint.pt").read_bytes()
    refused = lrx("train", *TINY, "name=mine", "trainer.lr=0.5", "seed=3")
    assert_refused(refused, "trainer.lr (was 0.01, now 0.5)", "seed (was 0, now 3)")
    assert (tmp_path / "outputs/train/mine/checkpoint.pt").read_bytes() == before


# ------------------------------------------------------------------------------------------------ being refused

REFUSED = {
    "unknown command": (["trian"], ["trian", "train", "assay", "import"]),
    "unknown dataset": (["train", "dataset=mnist"], ["dataset=mnist", "dsprites", "3dshapes", "helix"]),
    "unknown model": (["train", "model=foo"], ["model=foo", "betavae"]),
    "unknown key": (["train", "trainer.stepz=3"], ["stepz"]),
    "no override": (["train", "seed"], ["seed", "key=value"]),
    "a flag for a key": (["train", "--steps", "10"], ["--steps", "trainer.steps=10"]),
    "a flag with its value": (["train", "--batch-size=8"], ["--batch-size=8", "trainer.batch_size=8"]),
    "a key that is added": (["train", *TINY, "+trainer.step=10"], ["trainer has no key step", "trainer.steps?"]),
    "a space": (["train", *TINY, "name=my", "run"], ["'run'", "'name=my run'"]),
    "a comma": (["train", *TINY, "dataset.path=a,b"], ["dataset.path=a,b", "'dataset.path=\"a,b\"'"]),
    "a bracket": (["train", *TINY, "dataset.path=a(1)"], ["'dataset.path=\"a(1)\"'"]),
    "steps are text": (["train", *TINY[:1], "trainer.steps=abc"], ["trainer.steps", "abc", "whole number"]),
    "steps are none": (["train", *TINY[:1], "trainer.steps=0"], ["trainer.steps", "0", "at least 1"]),
    "a negative rate": (["train", *TINY, "trainer.lr=-0.1"], ["trainer.lr", "-0.1", "positive"]),
    "a rate that is no number": (["train", *TINY, "trainer.lr=nan"], ["trainer.lr", "nan"]),
    "a negative clip": (["train", *TINY, "trainer.clip=-1"], ["trainer.clip", "-1"]),
    "an unknown schedule": (
        ["train", *TINY, "trainer.schedule=step"],
        ["trainer.schedule", "step", "constant", "cosine"],
    ),
    "an unknown device": (["train", *TINY, "trainer.device=tpu"], ["trainer.device", "tpu", "cpu"]),
    "no latents": (["train", *TINY, "latent_dim=0"], ["latent_dim", "0"]),
    "a negative beta": (["train", *TINY, "model.beta=-1"], ["model.beta", "-1"]),
    "bernoulli vectors": (["train", *TINY, "model.reconstruction=bernoulli"], ["bernoulli", "gaussian"]),
    "an unknown reconstruction": (["train", *TINY, "model.reconstruction=l1"], ["l1", "bernoulli, gaussian"]),
    "images for vectors": (["train", *TINY, "network=conv64"], ["network=conv64", "network=mlp"]),
    "a setting that there is not": (["train", *TINY, "+model.alpha=1"], ["model", "alpha"]),
    "a list that is none": (["train", *TINY, "network.hidden=3"], ["network.hidden", "3"]),
    "a pair that is none": (["train", *TINY, "trainer.betas=3"], ["trainer.betas", "3"]),
    "an empty name": (["train", *TINY, "name="], ["name=''"]),
    "a name elsewhere": (["train", *TINY, "name=../../x"], ["name='../../x'"]),
    "points of text": (["train", *TINY, "dataset.num_points=abc"], ["dataset.num_points", "abc"]),
    "a seed of text": (["train", *TINY, "seed=abc"], ["seed", "abc"]),
    "no file": (["train", "dataset=dsprites", "dataset.source=file"], ["dsprites", "dataset.root"]),
    "an unknown source": (["train", "dataset=dsprites", "dataset.source=cloud"], ["cloud", "auto", "file", "rendered"]),
    "no ckpt": (["assay"], ["ckpt="]),
    "ckpt nowhere": (["assay", "ckpt=nowhere"], ["ckpt=nowhere", "no such file"]),
    "an unknown assay": (["assay", "ckpt=x", "assay=foo"], ["assay=foo", "response_matrix"]),
    "a folder without checkpoint": (["assay", "ckpt=empty"], ["ckpt=empty", "checkpoint.pt"]),
    "a text file": (["assay", "ckpt=notes.txt"], ["notes.txt", "not an lrx checkpoint"]),
    "an empty file": (["assay", "ckpt=nothing.pt"], ["nothing.pt", "not an lrx checkpoint"]),
    "a foreign checkpoint": (["assay", "ckpt=foreign.pt"], ["foreign.pt", "lrx import"]),
    "weights nowhere": (["import", "weights=nowhere.pt"], ["weights=nowhere.pt", "no such file"]),
    "no weights": (["import", "weights=notes.txt"], ["notes.txt", "state dict"]),
    "completion of another shell": (["completion", "fish"], ["fish", "bash"]),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_person_gets_wrong_gets_one_clear_line(
    case: str, tmp_path: Path, data_root: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LRX_DATA", str(data_root))
    monkeypatch.delenv("LRX_DEBUG", raising=False)
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("not a checkpoint")
    (tmp_path / "nothing.pt").touch()
    torch.save({"encoder.weight": torch.zeros(2)}, tmp_path / "foreign.pt")
    words, expected = REFUSED[case]
    status = main.main(words)
    said = capfd.readouterr()
    assert_refused(subprocess.CompletedProcess(words, status, said.out, said.err), *expected)
    assert not list((tmp_path / "outputs").rglob("*.*")), "something was left behind"


def test_an_assay_that_needs_factors_is_refused_on_data_without(lrx: Lrx) -> None:
    assert lrx("train", *TINY, "name=helix").returncode == 0
    refused = lrx("assay", "ckpt=outputs/train/helix", "assay=conditioned_response")
    assert_refused(refused, "assay=conditioned_response", "factors of variation", "double helix has none")


def test_correlated_factors_are_an_option_of_the_data_set(lrx: Lrx, tmp_path: Path) -> None:
    words = ["train", "dataset=dsprites", "network=mlp", "network.hidden=[8]", "latent_dim=2", "trainer.steps=2"]
    trained = lrx(*words, "dataset.correlation={factors:[scale,position_x],width:0.2}", "name=band")
    assert trained.returncode == 0, trained.stderr
    assert "scale and position_x correlated, width 0.2" in trained.stderr
    for override, told in ((), ("rendered, scale and position_x",)), (("dataset.correlation=none",), ("rendered",)):
        name = f"name=assay{len(override)}"
        done = lrx("assay", "ckpt=outputs/train/band", "assay.num_samples=8", "assay.base=posterior", name, *override)
        assert done.returncode == 0, done.stderr
        with xarray.open_dataset(tmp_path / f"outputs/assay/{name[5:]}/result.h5", engine="h5netcdf") as root:
            assert root.attrs["dataset_source"].startswith(told[0])
            assert ("correlated" in root.attrs["dataset_source"]) == (not override)
            assert "correlated" in root.attrs["trained_on"]


def test_lrx_debug_shows_the_traceback(lrx_process: Lrx) -> None:
    done = lrx_process("train", *TINY, "trainer.lr=-1", LRX_DEBUG="1")
    assert done.returncode == 2
    assert "Traceback" in done.stderr
    assert "loop.py" in done.stderr


def test_a_target_outside_lrx_in_a_checkpoint_is_refused_and_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main.main(["train", *TINY, "name=victim"]) == 0
    path = tmp_path / "outputs/train/victim/checkpoint.pt"
    capfd.readouterr()
    content = torch.load(path, weights_only=True)
    payloads = [
        "_target_: os.system",
        "_target_: lrx.data.helix.np.save",  # what a module of lrx imports is not its own
        "_target_: lrx.storage.state_dict.read_state_dict",  # and not everything of its own is meant to be built
        "extra: ['${oc.create:{_target_: os.system}}']",  # nor is it hidden behind an interpolation in a list
    ]
    for payload in payloads:
        for line in ("_target_: lrx.data.helix.double_helix", "_target_: lrx.models.networks.mlp.mlp"):
            assert line in content["config"]
            torch.save(content | {"config": content["config"].replace(line, payload)}, path)
            status = main.main(["assay", f"ckpt={path}"])
            refused = subprocess.CompletedProcess([], status, *capfd.readouterr())
            assert_refused(refused, "_target_=", "not run")


# ------------------------------------------------------------------------------------------------------- import


def test_published_weights_become_a_checkpoint(lrx: Lrx, tmp_path: Path) -> None:
    assert lrx("train", *TINY, "name=source").returncode == 0
    weights = weights_of(tmp_path / "outputs/train/source")
    torch.save(weights, tmp_path / "plain.pt")
    torch.save(
        {"epoch": 3, "state_dict": {f"module.{key}": value for key, value in weights.items()}}, tmp_path / "wrapped.pt"
    )
    safetensors.torch.save_file(
        {key: value.contiguous() for key, value in weights.items()}, tmp_path / "safe.safetensors"
    )
    shape = ["dataset=helix", "model=vae", "network=mlp", "model.reconstruction=gaussian", "latent_dim=2"]
    for file in ("plain.pt", "wrapped.pt", "safe.safetensors"):
        name = Path(file).stem
        done = lrx("import", f"weights={file}", *shape, f"name={name}")
        assert done.returncode == 0, done.stderr
        assert_same_weights(tmp_path / "outputs/import" / name, tmp_path / "outputs/train/source")
    assayed = lrx("assay", "ckpt=outputs/import/plain", "assay.num_samples=16", "name=imported")
    assert assayed.returncode == 0, assayed.stderr
    with xarray.open_dataset(tmp_path / "outputs/assay/imported/result.h5", engine="h5netcdf") as root:
        assert root.attrs["checkpoint_origin"].startswith("plain.pt")

    broken = {key: value for key, value in weights.items() if key != "encoder.1.bias"}
    broken |= {"extra": torch.zeros(1), "decoder.0.weight": torch.zeros(3, 3)}
    torch.save(broken, tmp_path / "broken.pt")
    refused = lrx("import", "weights=broken.pt", *shape, "name=broken")
    assert_refused(refused, "missing: encoder.1.bias", "unexpected: extra", "wrong shape: decoder.0.weight (3, 3)")
    assert not (tmp_path / "outputs/import/broken").exists()


# --------------------------------------------------------------------------------------- help and completion


@pytest.mark.parametrize("words", [["--help"], ["train", "--help"], ["import", "-h"], ["collect", "-h"]])
def test_help_fits_80_columns(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main.main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 5
    assert max(len(line) for line in lines) <= 80


def test_an_error_is_broken_between_words_on_a_narrow_screen_and_is_one_line_in_a_pipe(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert main.main(["trian"]) == 2
    whole = capsys.readouterr().err
    assert whole.count("\n") == 1
    monkeypatch.setenv("COLUMNS", "40")
    assert main.main(["trian"]) == 2
    broken = capsys.readouterr().err
    assert max(len(line) for line in broken.splitlines()) <= 40
    assert broken.split() == whole.split()


def test_completion_says_how_it_is_switched_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["completion", "--help"]) == 0
    assert 'eval "$(lrx completion bash)"' in capsys.readouterr().out


def test_help_and_cfg_answer_without_torch(tmp_path: Path, environment: dict[str, str]) -> None:
    for words in (["--help"], ["train", "--help"], ["train", "--cfg", "job"], ["assay", "ckpt=x", "--cfg", "job"]):
        show = "print('torch' in sys.modules, file=sys.stderr)"
        code = f"import sys; from lrx.cli.main import main; main({words!r}); {show}"
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.stderr.strip() in ("False", ""), done.stderr
        assert "dataset" in done.stdout or "lrx train" in done.stdout
    assert not list(tmp_path.iterdir())


def test_bash_completes_commands_and_overrides(tmp_path: Path, environment: dict[str, str]) -> None:
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
