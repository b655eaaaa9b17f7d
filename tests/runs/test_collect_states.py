"""`lrx collect` while runs wait, work or have failed."""

from __future__ import annotations

import threading
from pathlib import Path

from lrx.runs import status
from lrx.storage import results
from tests.conftest import Lrx
from tests.runs.test_collect import FILES, collect, opened, result, table, write_run


def test_unfinished_and_failed_runs_are_listed(lrx: Lrx, tmp_path: Path) -> None:
    write_run(tmp_path / "s/good")
    write_run(tmp_path / "s/bad", seed=1, state="failed", error="the loss is nan at step 5")
    write_run(tmp_path / "s/cut", seed=2, state="running")  # and nobody holds its lock
    (tmp_path / "s/waits").mkdir()
    status.write(tmp_path / "s/waits", status.Status("queued", "train", ("seed=9",)))
    half = write_run(tmp_path / "s/half", seed=3, assays=result(0.5))
    status.write(half / "paper", status.Status("failed", "assay", error="no memory"))
    done = lrx("collect", "s")
    assert done.returncode == 0
    lines = [line.rstrip() for line in done.stdout.splitlines()]
    assert lines[0] == "s: 2 failed, 1 interrupted, 1 queued, 1 done"
    assert sorted(" ".join(line.split()) for line in lines[1:]) == [
        "bad failed the loss is nan at step 5",
        "cut interrupted at step 5 of 10",
        "half failed paper: no memory",
        "waits queued",
    ]
    rows = table(tmp_path / "s/collected.csv")
    assert (rows["bad"]["state"], rows["bad"]["error"]) == ("failed", "the loss is nan at step 5")
    assert (rows["waits"]["state"], rows["waits"]["seed"]) == ("queued", "9")
    assert rows["half"]["response_matrix.gap"] == "0.5"
    root = opened(tmp_path / "s/collected.h5")
    assert root.state.sel(run="cut") == "interrupted"
    assert root.error.sel(run="good") == ""
    assert "latent_dim" not in rows["good"]  # the same in all configs that there are


def test_scores_of_an_earlier_checkpoint_are_said(lrx: Lrx, tmp_path: Path) -> None:
    folder = write_run(tmp_path / "s/a", assays=result(0.5))  # measured after 10 steps
    write_run(tmp_path / "s/b", seed=1, assays=result(0.5))
    (folder / "metrics.jsonl").write_text('{"step": 10, "loss": 1.0}\n{"step": 2000, "loss": 0.5}\n')
    shown = " ".join(lrx("collect", "s").stdout.split())
    assert shown.startswith("s: 2 done a done paper: measured after 10 steps, and the training is at 2,000")
    rows = table(tmp_path / "s/collected.csv")
    assert rows["a"]["error"] == "paper: measured after 10 steps, and the training is at 2,000"
    assert rows["b"]["error"] == ""


def test_linked_and_hidden_folders_are_skipped(tmp_path: Path) -> None:
    write_run(tmp_path / "s/a")
    write_run(tmp_path / "elsewhere/b")
    write_run(tmp_path / "s/.hidden/c")
    (tmp_path / "s/linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "s/around").symlink_to(tmp_path / "s")
    assert [row.run for row in collect(tmp_path / "s", tmp_path / "out.h5")] == ["a"]


def test_collect_twice_gives_same_files(tmp_path: Path) -> None:
    write_run(tmp_path / "a", assays=result(0.5))
    out = tmp_path / "collected.h5"
    collect(tmp_path, out)
    before = out.with_suffix(".csv").read_text()
    collect(tmp_path, out)
    assert out.with_suffix(".csv").read_text() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", *sorted(FILES)]


def test_collect_while_runs_write(tmp_path: Path) -> None:
    """Every look finds whole files or none, and the last one finds all."""
    start = threading.Barrier(17)

    def work(number: int) -> None:
        folder = tmp_path / f"run{number:02}"
        start.wait()
        with status.run_session(folder, command="assay", overrides=(f"seed={number}",), config=str(number)) as work:
            for step in range(5):
                results.write(folder / "result.h5", result(float(number)), {"torch": "2"})
                work.update(step=step, steps=5)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    start.wait()
    while any(thread.is_alive() for thread in threads):
        if any(tmp_path.glob("run*/status.json")):
            for row in collect(tmp_path, tmp_path / "collected.h5"):
                assert row.state in ("running", "done"), row.error
                assert row.scores.get("response_matrix", {}).get("gap", float(row.run[3:])) == float(row.run[3:])
    rows = collect(tmp_path, tmp_path / "collected.h5")
    assert [(row.state, row.scores["response_matrix"]["gap"]) for row in rows] == [
        ("done", float(number)) for number in range(16)
    ]
