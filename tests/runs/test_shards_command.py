"""Shards on the command line: sweeps of them, killed, joined and of other checkpoints."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

from lrx.cli.commands import assay
from lrx.runs import shards, status
from lrx.storage import results
from tests.conftest import TINY, Lrx
from tests.runs.test_shards import assert_equal


def test_a_shard_is_named_as_one_of_many() -> None:
    shard = shards.parse("2of3")
    assert shard is not None
    assert (shard.number, shard.count) == (2, 3)
    assert shards.parse(None) is None
    for text in ("4of3", "0of3", "2", "2/3", 2):
        with pytest.raises(ValueError, match="shard must be null, or one such as 3of16, not"):
            shards.parse(text)


@pytest.fixture
def trained(lrx: Lrx, without_pictures: None) -> list[str]:
    """The words of an assay of a small model."""
    assert lrx("train", *TINY, "latent_dim=5", "name=run").returncode == 0
    return ["assay", "ckpt=outputs/train/run", "assay.num_samples=300"]


def stamps(folder: Path) -> dict[str, int]:
    """When each part was written."""
    return {path.parent.name: path.stat().st_mtime_ns for path in folder.glob("*/part.npz")}


def test_killed_sweep_of_shards_equals_one_process(lrx: Lrx, tmp_path: Path, trained: list[str]) -> None:
    words, folder = [*trained, "assay.base=posterior", "name=s"], tmp_path / "outputs/assay/s"
    assert lrx(*words, "name=whole").returncode == 0
    whole = results.read(tmp_path / "outputs/assay/whole/result.h5")
    done = lrx(*words, "assay.shards=3")
    assert done.returncode == 0, done.stderr
    split = results.read(folder / "result.h5")
    assert_equal(split.assays["response_matrix"], whole.assays["response_matrix"])
    assert (whole.provenance["shards"], split.provenance["shards"]) == (1, 3)
    assert "is finished" in lrx(*words).stderr  # without shards it is the same

    before = stamps(folder)
    assert set(before) == {"1of3", "2of3", "3of3"}
    for file in ("2of3/part.npz", "2of3/status.json", "result.h5", "status.json"):
        (folder / file).unlink()
    assert assay.join(folder) is False
    again = lrx(*words, "assay.shards=3")
    assert again.stderr.count("is finished") == 2
    now = stamps(folder)
    assert {name for name in now if now[name] != before[name]} == {"2of3"}
    assert_equal(results.read(folder / "result.h5").assays["response_matrix"], whole.assays["response_matrix"])


def test_join_of_parts_that_belong_together(lrx: Lrx, tmp_path: Path, trained: list[str]) -> None:
    folder = tmp_path / "outputs/assay/s"
    map_words = ["assay=response_map", "assay.resolution=7", "assay.batch_size=10", "name=s", "assay.shards=2"]
    assert lrx(*trained, *map_words).returncode == 0
    whole = results.read(folder / "result.h5")
    for name in ("result.h5", "status.json", "config.yaml"):
        (folder / name).unlink()
    assert assay.join(folder) is True
    assert_equal(results.read(folder / "result.h5").assays["response_map"], whole.assays["response_map"])
    state = status.read(folder)
    assert state is not None
    assert state.state == "done"
    assert not [word for word in state.overrides if word.startswith("shard")]
    assert assay.join(folder) is True  # it is done
    assert assay.join(tmp_path / "outputs/train") is False

    (folder / "status.json").unlink()
    part = folder / "2of2/part.npz"
    with np.load(part) as file:
        content = dict(file)
    other = str(content["about"]).replace(str(whole.provenance["dataset_fingerprint"]), "else")
    np.savez(part, **(content | {"about": np.array(other)}))
    with pytest.raises(ValueError, match="2of2 was measured on other data"):
        assay.join(folder)
    np.savez(part, about=content["about"])
    with pytest.raises(ValueError, match="do not fit together"):
        assay.join(folder)
    part.write_bytes(part.read_bytes()[:100])
    with pytest.raises(ValueError, match=r"2of2/part\.npz is not a readable part of an assay"):
        assay.join(folder)


def test_sweep_is_joined_for_each_checkpoint(lrx: Lrx, tmp_path: Path, trained: list[str]) -> None:
    words = [*trained, "-m", "seed=0,1", "assay.shards=2", "name=many"]
    assert lrx(*words).returncode == 0
    folders = sorted(file.parent for file in (tmp_path / "outputs/assay/many").glob("*/result.h5"))
    assert [results.read(folder / "result.h5").provenance["seed"] for folder in folders] == [0, 1]
    before = [stamps(folder) for folder in folders]
    checkpoint = tmp_path / "outputs/train/run/checkpoint.pt"
    content = torch.load(checkpoint, weights_only=True)
    content["model"]["decoder.0.weight"] *= 2
    torch.save(content, checkpoint)
    assert lrx(*words).returncode == 0
    for folder, stamp in zip(folders, before, strict=True):
        now = stamps(folder)
        assert all(now[name] != stamp[name] for name in ("1of2", "2of2"))
    hashes = {results.read(folder / "result.h5").provenance["checkpoint_sha256"] for folder in folders}
    assert hashes == {hashlib.sha256(checkpoint.read_bytes()).hexdigest()}


def test_shards_of_two_checkpoints(lrx: Lrx, tmp_path: Path, trained: list[str]) -> None:
    words, folder = [*trained, "name=s"], tmp_path / "outputs/assay/s"
    assert lrx(*words, "assay.shards=2").returncode == 0
    checkpoint = tmp_path / "outputs/train/run/checkpoint.pt"
    first = hashlib.sha256(checkpoint.read_bytes()).hexdigest()[:12]
    for file in ("result.h5", "status.json", "config.yaml", "2of2/part.npz"):
        (folder / file).unlink()
    assert lrx("train", *TINY, "latent_dim=5", "name=run", "trainer.steps=40").returncode == 0
    second = hashlib.sha256(checkpoint.read_bytes()).hexdigest()[:12]
    repeated = [*trained, "name=s/2of2", "shard=2of2"]
    done = lrx(*repeated)
    text = f"its shards are of different checkpoints (SHA-256 of the checkpoint: 1of2 of {first}, 2of2 of {second})"
    assert done.returncode == 0
    assert text in done.stderr
    assert "repeat shard=1of2 with the command of the others" in done.stderr
    assert not (folder / "result.h5").exists()
    assert text in lrx("collect", "outputs").stderr
    assert lrx(*trained, "name=s/1of2", "shard=1of2").returncode == 0
    assert results.read(folder / "result.h5").provenance["shards"] == 2


def test_what_cannot_be_split_is_refused(lrx: Lrx, trained: list[str]) -> None:
    for words, said in (
        (["shard=1of2", "name=byhand"], "works in a folder of that name"),
        (["assay=traversal", "shard=1of2", "hydra.run.dir=outputs/assay/x/1of2"], "is one piece of work"),
    ):
        refused = lrx(*trained, *words)
        assert refused.returncode == 2
        assert said in refused.stderr
        assert refused.stderr.count("\n") == 1
