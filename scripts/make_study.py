"""Make the tree of a study of 12,600 runs from a few genuine ones: that of Locatello et al. 2019 (arXiv 1811.12359).

python scripts/make_study.py FOLDER [--seeds 50]

Six models with six strengths each, seven data sets and 50 seeds. For each model `lrx train -m` makes two runs with the
assays response_matrix, metrics and codes on a small grid of vectors. Copies of them get other settings and seeds in
every file that names them (config, status, checkpoint, log, result), and other numbers. Pictures are hard links.
FOLDER/commands.txt has the commands that would have made the runs of outputs/train/study.
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from lrx.core.checksum import sha256
from lrx.core.data_identity import about_data
from lrx.core.types import AssayResult
from lrx.data.arrays import arrays
from lrx.runs import run_folder, status, sweep_folder
from lrx.storage import results
from lrx.training import metrics_log

STRENGTHS = {  # the study's own grid
    "betavae": ("beta", (1, 2, 4, 6, 8, 16)),
    "annealedvae": ("c_max", (5, 10, 25, 50, 75, 100)),
    "factorvae": ("gamma", (10, 20, 30, 40, 50, 100)),
    "dipvae_i": ("lambda_od", (1, 2, 5, 10, 20, 50)),
    "dipvae_ii": ("lambda_od", (1, 2, 5, 10, 20, 50)),
    "btcvae": ("beta", (1, 2, 4, 6, 8, 10)),
}
DATA_SETS, SIDE, FACTORS, COLUMNS = 7, 15, 3, 16
PATHS = [f"data/grid-{number}.npz" for number in range(DATA_SETS)]
THEN = "[paper,'assay.only=[response_matrix,metrics,codes]','assay.assays.response_matrix.num_samples=64']"
WORDS = ["dataset=arrays", "dataset.images=vectors", "dataset.classes=classes", "network=mlp", "network.hidden=[16,16]"]
WORDS += ["model.variance=0.01", "trainer.steps=300", "trainer.batch_size=64", "trainer.lr=0.01"]
WORDS += ["trainer.log_every=10", f"then={THEN}"]
NAME, NOISE = "study", 0.05


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=50)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    os.chdir(given.folder)
    make_data()
    commands = [command(model, given.seeds) for model in STRENGTHS]
    Path("commands.txt").write_text("\n".join(map(shlex.join, commands)) + "\n")
    for model in STRENGTHS:
        subprocess.run([sys.executable, "-m", "lrx.cli", *genuine_words(model)], check=True, stdout=subprocess.DEVNULL)
    count = 0
    for model, (key, _) in STRENGTHS.items():
        originals = [Original.read(folder) for folder in sorted(Path(f"outputs/train/{model}").glob("*/"))]
        for words in jobs(model, given.seeds):
            copy(originals[count % len(originals)], words, key, np.random.default_rng(count))
            count += 1
    print(f"{count:,} runs in {given.folder}/outputs/train/{NAME}")


def make_data() -> None:
    """Write grids of vectors: a fixed random nonlinear map of three factors for each data set."""
    Path("data").mkdir(exist_ok=True)
    classes = np.array(list(itertools.product(range(SIDE), repeat=FACTORS)))
    for number, path in enumerate(PATHS):
        random = np.random.default_rng(number)
        weights = random.standard_normal((FACTORS, COLUMNS))
        np.savez(path, vectors=np.tanh((classes / SIDE - 0.5) @ weights).astype(np.float32), classes=classes)


def command(model: str, seeds: int) -> list[str]:
    """Return the words of the sweep of one model."""
    key, values = STRENGTHS[model]
    swept = [f"dataset.path={','.join(PATHS)}", f"model.{key}={','.join(map(str, values))}"]
    return ["train", "-m", *fixed(model), *swept, f"seed=range({seeds})", f"name={NAME}"]


def fixed(model: str) -> list[str]:
    """Return the words that all runs of a model share; a small discriminator keeps checkpoints small."""
    return [*WORDS, f"model={model}", *(["model.layers=2", "model.width=16"] if model == "factorvae" else [])]


def genuine_words(model: str) -> list[str]:
    key, values = STRENGTHS[model]
    return [
        "train",
        "-m",
        *fixed(model),
        f"dataset.path={PATHS[0]}",
        f"model.{key}={values[0]}",
        "seed=0,1",
        f"name={model}",
    ]


def jobs(model: str, seeds: int) -> Iterator[dict[str, str]]:
    """Yield what differs between the runs of a model, in the order of Hydra's sweep."""
    key, values = STRENGTHS[model]
    for path, value, seed in itertools.product(PATHS, values, range(seeds)):
        yield {"dataset.path": path, f"model.{key}": str(value), "seed": str(seed)}


@dataclass(frozen=True)
class Original:
    """Content of the files of a genuine run and of its assay."""

    folder: Path
    config: str
    state: status.Status
    checkpoint: dict[str, object]
    log: list[dict[str, float]]
    measured: str
    measured_state: status.Status
    results: results.Results

    @classmethod
    def read(cls, folder: Path) -> Original:
        state, measured = status.read(folder), status.read(folder / "paper")
        assert state is not None
        assert measured is not None
        return cls(
            folder,
            (folder / run_folder.FILENAME).read_text(),
            state,
            torch.load(folder / "checkpoint.pt"),
            metrics_log.read(folder),
            (folder / "paper" / run_folder.FILENAME).read_text(),
            measured,
            results.read(folder / "paper" / results.FILENAME),
        )


def copy(original: Original, words: Mapping[str, str], key: str, random: np.random.Generator) -> None:
    """Write a run folder with other settings, and the assay in it."""
    overrides = tuple(changed_word(word, {**words, "name": NAME}) for word in original.state.overrides)
    folder = Path("outputs/train", NAME, sweep_folder.run_id(overrides, " ".join(words)))
    (folder / "paper").mkdir(parents=True, exist_ok=True)
    config = original.config
    for start, value in (("name: ", NAME), ("seed: ", words["seed"]), ("  path: ", words["dataset.path"])):
        config = changed_line(config, start, value)
    config = changed_line(config, f"  {key}: ", words[f"model.{key}"])
    run_folder.write_config(folder, config)
    data = about(words["dataset.path"])
    fingerprint = run_folder.fingerprint(run_folder.identity(run_folder.read_flat(folder)))
    status.write(folder, replace(original.state, overrides=overrides, config=fingerprint))
    rows = [{k: v if k == "step" else v * float(noise(random, ())) for k, v in row.items()} for row in original.log]
    (folder / metrics_log.JSONL).write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / metrics_log.CSV).write_text(
        "\n".join(",".join(map(str, row)) for row in (rows[0], *(r.values() for r in rows)))
    )
    trained_on = {
        "name": data["dataset"],
        "source": data["dataset_source"],
        "fingerprint": data["observations_fingerprint"],
    }
    buffer = io.BytesIO()
    torch.save({**original.checkpoint, "config": config, "data": trained_on}, buffer)
    (folder / "checkpoint.pt").write_bytes(buffer.getbuffer())
    (folder / ".lock").touch()
    about_model = {
        "checkpoint": f"{folder}/checkpoint.pt",
        "checkpoint_sha256": sha256(buffer.getvalue()),
        "checkpoint_config": config,
        "trained_on": "{name} ({source}, {fingerprint})".format(**trained_on),
    }
    copy_assay(original, folder, {**about_model, **data}, random)


def copy_assay(original: Original, folder: Path, about_it: dict[str, str], random: np.random.Generator) -> None:
    """Write the assay in a run folder."""
    config = changed_line(original.measured, "ckpt: ", str(folder))
    run_folder.write_config(folder / "paper", config)
    fingerprint = run_folder.fingerprint(run_folder.identity(run_folder.read_flat(folder / "paper")))
    inputs = {"checkpoint": about_it["checkpoint_sha256"]}
    overrides = tuple(changed_word(word, {"ckpt": f"'{folder}'"}) for word in original.measured_state.overrides)
    state = replace(original.measured_state, overrides=overrides, config=fingerprint, inputs=inputs)
    status.write(folder / "paper", state)
    for picture in (original.folder / "paper").glob("*.png"):
        (folder / "paper" / picture.name).unlink(missing_ok=True)
        os.link(picture, folder / "paper" / picture.name)
    assays = {name: with_noise(result, random) for name, result in original.results.assays.items()}
    (folder / "paper" / results.FILENAME).unlink(missing_ok=True)
    results.write(
        folder / "paper" / results.FILENAME, assays, {**original.results.provenance, **about_it, "config": config}
    )


def with_noise(result: AssayResult, random: np.random.Generator) -> AssayResult:
    """Return a result with other numbers."""
    arrays = {
        name: replace(array, values=(array.values * noise(random, array.values.shape)).astype(array.values.dtype))
        if array.values.dtype.kind == "f"
        else array
        for name, array in result.arrays.items()
    }
    scores = {name: float(value * noise(random, ())) for name, value in result.scores.items()}
    return replace(result, arrays=arrays, scores=scores)


def noise(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return 1 + NOISE * random.standard_normal(shape)


def changed_word(word: str, values: Mapping[str, str]) -> str:
    key = word.partition("=")[0]
    return f"{key}={values[key]}" if key in values else word


def changed_line(text: str, start: str, value: str) -> str:
    """Replace the value of the one line that begins so."""
    changed, count = re.subn(rf"(?m)^{re.escape(start)}.*$", lambda _: start + value, text)
    assert count == 1, (start, count)
    return changed


KNOWN: dict[str, dict[str, str]] = {}


def about(path: str) -> dict[str, str]:
    """Return what a result says of a data set."""
    if path not in KNOWN:
        opened = arrays(root="data", path=path, images="vectors", layout="auto", classes="classes", factor_names=None)
        KNOWN[path] = about_data(opened)
    return KNOWN[path]


if __name__ == "__main__":
    main()
