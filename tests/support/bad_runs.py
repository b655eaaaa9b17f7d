"""Damaged, foreign and hostile run folders, checkpoints, results and configs: how to make each, the command, and
the words of its refusal. Each case begins with the finished run `outputs/train/run` and its assay.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import h5py
import torch

from tests.conftest import TINY
from tests.support.bad_data import Case, Make, loop

RUN, ASSAY = "outputs/train/run", "outputs/assay/run"
TRAIN = ["train", *TINY, "name=run"]
MEASURE = ["assay", f"ckpt={RUN}", "assay.num_samples=16", "name=new"]
MEASURE_AGAIN = ["assay", f"ckpt={RUN}", "assay.num_samples=16", "name=run"]
OWN_YAML = ["train", *TINY, "--config-dir", "conf", "+own=mine", "name=new"]
FIRST = "encoder.1.weight"

Content = dict[str, object]


def unfinished(folder: Path) -> None:
    """Remove the status, without which a run resumes."""
    (folder / RUN / "status.json").unlink(missing_ok=True)


def in_run(name: str, content: bytes) -> Make:
    def make(folder: Path) -> None:
        unfinished(folder)
        (folder / RUN / name).write_bytes(content)

    return make


def replaced(name: str, make_other: Callable[[Path], object]) -> Make:
    """Replace a file of the run by something of another type."""

    def make(folder: Path) -> None:
        unfinished(folder)
        (folder / RUN / name).unlink(missing_ok=True)
        make_other(folder / RUN / name)

    return make


def stored(change: Callable[[Content], object]) -> Make:
    """Write the checkpoint anew after a change of its content."""

    def make(folder: Path) -> None:
        unfinished(folder)
        path = folder / RUN / "checkpoint.pt"
        content = torch.load(path, weights_only=True)
        change(content)
        torch.save(content, path)

    return make


def weight(value: Callable[[torch.Tensor], object]) -> Make:
    return stored(lambda content: content["model"].update({FIRST: value(content["model"][FIRST])}))


def checkpoint_bytes(change: Callable[[bytes], bytes]) -> Make:
    return lambda folder: in_run("checkpoint.pt", change((folder / RUN / "checkpoint.pt").read_bytes()))(folder)


def flipped(content: bytes) -> bytes:
    """Flip one bit of the first weights."""
    place = content.index(b"FB", content.index(b"data/0")) + 1000
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


def result(change: Callable[[Path], object]) -> Make:
    """Change the result.h5 of an interrupted assay."""

    def make(folder: Path) -> None:
        (folder / ASSAY / "status.json").unlink()
        change(folder / ASSAY / "result.h5")

    return make


def in_result(change: Callable[[h5py.File], object]) -> Make:
    def edit(path: Path) -> None:
        with h5py.File(path, "r+") as file:
            change(file)

    return result(edit)


def huge_array(file: h5py.File) -> None:
    """Add an array that claims 4 TB and stores nothing, with the attributes of a file of lrx."""
    group = file["response_matrix"]
    scale = group.create_dataset("place", (10**12,), "f4", chunks=(1024,))
    scale.make_scale("place")


def own_yaml(content: bytes) -> Make:
    def make(folder: Path) -> None:
        (folder / "conf/own").mkdir(parents=True)
        (folder / "conf/own/mine.yaml").write_bytes(content)

    return make


def other_kind(path: Path) -> None:
    path.unlink()
    path.mkdir()


CONFIG = f"{RUN}/config.yaml"

RUNS: dict[str, Case] = {
    "config.yaml, empty": (in_run("config.yaml", b""), TRAIN, [CONFIG, "is empty"]),
    "config.yaml, a list": (in_run("config.yaml", b"- a"), TRAIN, [CONFIG, "must be a mapping"]),
    "config.yaml, bytes": (in_run("config.yaml", bytes(range(256))), TRAIN, [CONFIG, "is damaged"]),
    "config.yaml, a folder": (replaced("config.yaml", Path.mkdir), TRAIN, [CONFIG, "Is a directory"]),
    "status.json, a folder": (replaced("status.json", Path.mkdir), TRAIN, ["cannot write", "is a directory"]),
    ".lock, a folder": (replaced(".lock", Path.mkdir), TRAIN, [".lock", "Is a directory"]),
    ".lock, a loop": (replaced(".lock", loop), TRAIN, [".lock", "symbolic links"]),
    "metrics.jsonl, bytes": (in_run("metrics.jsonl", b"\xff\n{}\n"), TRAIN, ["metrics.jsonl: line 1 is damaged"]),
    "metrics.jsonl, a row without a step": (
        in_run("metrics.jsonl", b'{"step": 5, "loss": 1.0}\n{"loss": 2}\n{"step": 10, "loss": 1.0}\n'),
        TRAIN,
        ["metrics.jsonl: line 2 is damaged"],
    ),
    "metrics.jsonl, too deep": (in_run("metrics.jsonl", b"[" * 99999 + b"\n{}"), TRAIN, ["line 1 is damaged"]),
    "metrics.jsonl, a folder": (replaced("metrics.jsonl", Path.mkdir), TRAIN, ["metrics.jsonl", "Is a directory"]),
    "checkpoint.pt, a folder": (replaced("checkpoint.pt", Path.mkdir), TRAIN, ["checkpoint.pt", "Is a directory"]),
    "a run folder that is a file": (
        lambda folder: (folder / "outputs/train/new").touch(),
        [*TRAIN, "name=new"],
        ["outputs/train/new", "File exists"],
    ),
    "a run folder in a ring": (
        lambda folder: loop(folder / "outputs/train/new"),
        [*TRAIN, "name=new"],
        ["outputs/train/new"],
    ),
    "an outputs that is a file": (
        lambda folder: (folder / "elsewhere").touch(),
        [*TRAIN, "hydra.run.dir=elsewhere/run"],
        ["elsewhere/run", "Not a directory"],
    ),
    "latents for 256 TB": (lambda folder: None, [*TRAIN, "name=new", "latent_dim=1000000000000"], ["out of memory"]),
    "a name of 300 letters": (lambda folder: None, [*TRAIN, "name=" + "x" * 300], ["File name too long"]),
}

CHECKPOINTS: dict[str, Case] = {
    "checkpoint, text, of a run": (in_run("checkpoint.pt", b"hello"), TRAIN, ["not an lrx checkpoint"]),
    "checkpoint, cut": (checkpoint_bytes(lambda content: content[:5000]), MEASURE, ["not an lrx checkpoint"]),
    "checkpoint, a bit of it": (checkpoint_bytes(flipped), MEASURE, ["not an lrx checkpoint", "damaged"]),
    "checkpoint, a foreign pickle": (in_run("checkpoint.pt", pickle.dumps([1])), MEASURE, ["not an lrx checkpoint"]),
    "checkpoint, no part": (stored(lambda content: content.pop("data")), MEASURE, ["lacks data"]),
    "checkpoint, no data": (stored(lambda content: content.update(data={})), MEASURE, ["lacks data.name"]),
    "checkpoint, minus steps": (stored(lambda content: content.update(step=-3)), TRAIN, ["-3 of 20 steps"]),
    "checkpoint, too many steps": (stored(lambda content: content.update(step=10**30)), TRAIN, ["of 20 steps"]),
    "checkpoint, another optimiser": (
        stored(lambda content: content.update(step=10, optimizer={"a": 1})),
        TRAIN,
        ["its optimiser"],
    ),
    "checkpoint, no random states": (
        stored(lambda content: content.update(step=10, random={})),
        TRAIN,
        ["its random states"],
    ),
    "checkpoint, not a number": (weight(lambda w: w * torch.nan), MEASURE, ["not finite numbers", FIRST]),
    "checkpoint, another shape": (weight(lambda w: w[:1]), MEASURE, ["wrong shape", FIRST]),
    "checkpoint, 10^12 columns": (weight(lambda w: w[:1, :1].expand(32, 10**12)), MEASURE, ["wrong shape", FIRST]),
    "checkpoint, whole numbers": (weight(lambda w: w.long()), MEASURE, ["wrong kind", "int64"]),
    "checkpoint, complex": (weight(lambda w: w * 1j), MEASURE, ["wrong kind", "complex64"]),
    "checkpoint, sparse": (weight(lambda w: w.to_sparse()), MEASURE, ["wrong kind", "sparse"]),
    "checkpoint, without values": (weight(lambda w: w.to("meta")), MEASURE, ["wrong kind", "meta"]),
    "checkpoint, text for weights": (weight(lambda w: "x"), MEASURE, ["lacks tensors"]),
    "checkpoint, no config": (stored(lambda content: content.update(config="")), MEASURE, ["checkpoint's config"]),
    "checkpoint, a config of text": (
        stored(lambda content: content.update(config="hello")),
        MEASURE,
        ["does not say what its dataset is"],
    ),
    "checkpoint, a config in a ring": (
        stored(lambda content: content.update(config="a: ${b}\nb: ${a}")),
        MEASURE,
        ["checkpoint's config", "Recursive"],
    ),
    "checkpoint, a config too deep": (
        stored(lambda content: content.update(config="[" * 3000)),
        MEASURE,
        ["checkpoint's config"],
    ),
}

RESULTS: dict[str, Case] = {
    "result.h5, cut": (
        result(lambda path: path.write_bytes(path.read_bytes()[:3000])),
        MEASURE_AGAIN,
        ["not a readable results file"],
    ),
    "result.h5, a folder": (result(other_kind), MEASURE_AGAIN, ["result.h5 cannot be opened: is a directory"]),
    "result.h5, another format": (
        in_result(lambda file: file.attrs.__setitem__("format", "x")),
        MEASURE_AGAIN,
        ["format"],
    ),
    "result.h5, no provenance": (
        in_result(lambda file: file["response_matrix"].attrs.__delitem__("provenance")),
        MEASURE_AGAIN,
        ["would lose what lrx did not write: /response_matrix"],
    ),
    "result.h5, a cut provenance": (
        in_result(lambda file: file["response_matrix"].attrs.__setitem__("provenance", "{")),
        MEASURE_AGAIN,
        ["result.h5", "not a readable results file"],
    ),
    "result.h5, a name of bytes": (
        in_result(lambda file: file.create_group(b"\xff")),
        MEASURE_AGAIN,
        ["result.h5", "not a readable results file"],
    ),
    "result.h5, a ring of groups": (
        in_result(lambda file: file["response_matrix"].__setitem__("self", file["response_matrix"])),
        MEASURE_AGAIN,
        ["would lose what lrx did not write: /response_matrix/self"],
    ),
    "result.h5, a link in a ring": (
        in_result(lambda file: file.__setitem__("x", h5py.SoftLink("/x"))),
        MEASURE_AGAIN,
        ["leads elsewhere"],
    ),
    "result.h5, 4 TB in 20 kB": (in_result(huge_array), MEASURE_AGAIN, ["announces 4,000,000,000,000 bytes"]),
}

OWN_CONFIGS: dict[str, Case] = {
    "own yaml, cut": (own_yaml(b"a: ["), OWN_YAML, ["mine.yaml", "line 1"]),
    "own yaml, bytes": (own_yaml(bytes(range(256))), OWN_YAML, ["utf-8"]),
    "own yaml, twice the same key": (own_yaml(b"a: 1\na: 2"), OWN_YAML, ["duplicate key a"]),
    "own yaml, nothing to refer to": (own_yaml(b"a: ${nothing}"), OWN_YAML, ["nothing"]),
    "own yaml, no such default": (own_yaml(b"defaults:\n  - other: y"), OWN_YAML, ["other/y"]),
    "own yaml, defaults of another kind": (own_yaml(b"defaults: 3"), OWN_YAML, ["must be a list"]),
    "own yaml, no data set": (own_yaml(b"# @package _global_\ndataset: null"), OWN_YAML, ["what its dataset is"]),
    "own yaml, no such class": (
        own_yaml(b"# @package _global_\nmodel: {_target_: nonsense.Here}"),
        OWN_YAML,
        ["nonsense"],
    ),
    "own yaml, no folder": (lambda folder: None, OWN_YAML, ["conf", "not found"]),
}
