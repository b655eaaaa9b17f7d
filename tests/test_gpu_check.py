"""scripts/gpu_check.sh: all that a CPU can run of it, in small; and parts that fail, or take too long, lose nothing."""

from __future__ import annotations

import functools
import importlib
import json
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch

from tests.support.models_for_tests import one_thread as one_thread

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"
CHECKED = ("machine", "waits", "agreement", "assays", "responses", "throughput", "training")


@pytest.fixture(autouse=True)
def found_scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(SCRIPTS)


@pytest.fixture
def check() -> ModuleType:
    return importlib.import_module("gpu_check")


@pytest.fixture
def parts() -> ModuleType:
    return importlib.import_module("gpu_parts")


@pytest.fixture
def part(parts: ModuleType, tmp_path: Path) -> object:
    return parts.Part(torch.device("cpu"), True, time.monotonic() + 60, tmp_path / "part.json")


def test_every_part_has_time_and_text(check: ModuleType, parts: ModuleType) -> None:
    assert list(parts.PARTS) == list(check.SECONDS) == list(check.TEXT)
    assert list(check.SECONDS)[-1] == "training"  # which takes all that is left
    assert sum(list(check.SECONDS.values())[:-1]) < 580


@pytest.mark.parametrize("name", CHECKED)
def test_part_on_cpu(name: str, parts: ModuleType, part: object) -> None:
    parts.PARTS[name](part)
    stored = json.loads(part.store.read_text())  # type: ignore[attr-defined]
    assert stored["wrong"] == []
    assert stored["rows"]


def test_failed_cuda_test_is_named(
    parts: ModuleType, part: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = tmp_path / "test_wrong.py"
    wrong.write_text("def test_tf32_for_all_products():\n    assert 1 == 2\n")
    monkeypatch.setattr(parts, "TEST_FILE", str(wrong))
    parts.tests(part)
    assert "test_wrong.py::test_tf32_for_all_products" in part.wrong[0]  # type: ignore[attr-defined]


def reads_a_value(loss: Callable[..., dict[str, torch.Tensor]]) -> Callable[..., dict[str, torch.Tensor]]:
    def waiting(*inputs: object, **named: object) -> dict[str, torch.Tensor]:
        losses = loss(*inputs, **named)
        losses["loss"].item()
        return losses

    return waiting


def test_waiting_step_is_wrong(parts: ModuleType, part: object, monkeypatch: pytest.MonkeyPatch) -> None:
    vae = importlib.import_module("lrx.models.vae").VAE
    monkeypatch.setattr(vae, "loss", reads_a_value(vae.loss))
    parts.waits(part)
    assert [text.split()[0] for text in part.wrong] == ["VLAE-12", "VAE"]  # type: ignore[attr-defined]
    assert "waits for the card 2 times" in part.wrong[0]  # type: ignore[attr-defined]


NOTICE = "Synchronization debug mode is a prototype feature and does not yet detect all synchronizing operations"


def test_notice_of_the_mode_is_no_wait(parts: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "set_sync_debug_mode", lambda mode: warnings.warn(NOTICE, stacklevel=2))
    places: list[str] = []
    with parts.counted_waits(torch.device("cuda"), places):
        pass
    assert places == []
    with parts.counted_waits(torch.device("cuda"), places):
        warnings.warn("called a synchronizing CUDA operation (Triggered internally at ...)", stacklevel=1)
    assert [place.partition(":")[0] for place in places] == ["test_gpu_check.py"]


@pytest.mark.parametrize("name", ["responses", "throughput", "training"])
def test_peak_of_memory_is_of_the_work(
    name: str, parts: ModuleType, part: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Watched(parts.Part):  # type: ignore[misc, name-defined]
        peak = 0

        @functools.cached_property
        def rates(self) -> object:
            self.peak = 8192
            return parts.Part.rates.func(self)

        def forget_memory(self) -> None:
            self.peak = 0

        def memory(self) -> int:
            return self.peak

    speed = importlib.import_module("gpu_speed")
    run_assay = speed.run_assay

    def run_after_training(*given: object) -> object:
        part.peak += 4096 if name == "training" else 0  # type: ignore[attr-defined]
        return run_assay(*given)

    monkeypatch.setattr(speed, "run_assay", run_after_training)
    part.__class__ = Watched
    parts.PARTS[name](part)
    peaks = [row.get("peak memory MiB", 0) for row in part.rows]  # type: ignore[attr-defined]
    assert {*peaks} == {0}


def test_training_without_a_log_keeps_its_row(parts: ModuleType, part: object, monkeypatch: pytest.MonkeyPatch) -> None:
    speed = importlib.import_module("gpu_speed")
    settings = speed.settings
    monkeypatch.setattr(speed, "settings", lambda **given: settings(**{**given, "log_every": 10**9}))
    parts.training(part)
    assert len([row for row in part.rows if "first loss" in row]) == 3  # type: ignore[attr-defined]


def test_other_kernels_are_wrong(parts: ModuleType, part: object, monkeypatch: pytest.MonkeyPatch) -> None:
    respond, calls = parts.respond, []

    def noisy(*inputs: object, **named: object) -> torch.Tensor:
        calls.append(1)
        return respond(*inputs, **named) * (1 + 0.01 * len(calls))

    monkeypatch.setattr(parts, "respond", noisy)
    parts.agreement(part)
    assert len(part.wrong) >= 2  # type: ignore[attr-defined]


PART = """
import json, pathlib, sys, time
name, store = sys.argv[1], pathlib.Path(sys.argv[sys.argv.index("--store") + 1])
store.write_text(json.dumps({"rows": [{"what": name}], "wrong": ["not so"] if name == "waits" else []}))
if name == "tests":
    sys.exit(3)
if name == "agreement":
    time.sleep(60)
"""


def test_failing_parts_lose_no_others(check: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gpu_parts.py").write_text(PART)
    monkeypatch.setattr(check, "SCRIPTS", tmp_path)
    monkeypatch.setattr(check, "STOP", 0.5)
    monkeypatch.setitem(check.SECONDS, "agreement", 0.1)
    names = ["machine", "tests", "waits", "agreement", "training"]
    page = tmp_path / "page.md"
    page.write_text("# Page\n\n## Other\n\nText.\n")
    words = ["--cpu", "--only", ",".join(names), "--folder", str(tmp_path), "--page", str(page)]
    assert check.main(words) == 1
    stored = json.loads((tmp_path / "gpu.json").read_text())
    assert {name: stored[name]["wrong"] for name in names} == {
        "machine": [],
        "tests": ["exit status 3"],
        "waits": ["not so"],
        "agreement": ["did not end in 1 s"],
        "training": [],
    }
    assert all(stored[name]["rows"] == [{"what": name}] for name in names)
    written = page.read_text()
    assert written.startswith("# Page\n\n## Other\n\nText.\n\n## On one GPU\n")
    assert "- tests: exit status 3\n- waits: not so\n- agreement: did not end in 1 s\n" in written
    assert "```bash" not in written  # which test_docs.py would run


def test_section_is_replaced_and_kept(check: ModuleType) -> None:
    page = "# Page\n\n## On one GPU\n\nOld.\n\n### Part\n\n## Other\n\nText.\n"
    assert check.kept(page) == "## On one GPU\n\nOld.\n\n### Part\n\n"
    assert (
        check.with_section(page, "## On one GPU\n\nNew.\n") == "# Page\n\n## Other\n\nText.\n\n## On one GPU\n\nNew.\n"
    )
    assert check.with_section("# Page\n", check.kept("# No section\n")) == "# Page\n"


def test_table_has_every_column(check: ModuleType) -> None:
    rows = [{"what": "a", "share": 0.12345}, {"what": "b|c", "steps": 12_345}]
    assert check.table(rows).splitlines() == [
        "| what | share | steps |",
        "| --- | --- | --- |",
        "| a | 0.123 |  |",
        "| b/c |  | 12,345 |",
    ]


def test_no_gpu_is_one_line(
    check: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit, match="2"):
        check.main(["--folder", str(tmp_path / "new")])
    assert "sees no GPU here; --cpu tries the same on the CPU" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
