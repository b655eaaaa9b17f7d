"""Variants of a sweep in a file: a job for each with the other words, judged alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from lrx.cli.variants import expand_variants, read_variants
from lrx.runs import run_folder, status
from tests.conftest import Lrx

SMALL = ["dataset=helix", "network=mlp", "latent_dim=2", "trainer.steps=2", "trainer.batch_size=8"]
FILE = """# three objectives
variants:
  vae: [model=vae]
  beta: [model=betavae, "model.beta=1,4.5"]
  factor: {model: factorvae, model.gamma: 10, model.width: 8, model.layers: 2, trainer.clip: null}
  wrong: [model=vae, model.beta=4]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "objectives.yaml").write_text(FILE)
    return tmp_path / "objectives.yaml"


def test_words_of_variants(file: Path) -> None:
    assert read_variants(file) == {
        "vae": ["model=vae"],
        "beta-1": ["model=betavae", "model.beta=1"],
        "beta-4.5": ["model=betavae", "model.beta=4.5"],
        "factor": ["model=factorvae", "model.gamma=10", "model.width=8", "model.layers=2", "trainer.clip=null"],
        "wrong": ["model=vae", "model.beta=4"],
    }
    words, variants = expand_variants(["seed=0,1", f"variants={file}"])
    assert words == ["seed=0,1", "-m", "variant=vae,beta-1,beta-4.5,factor,wrong"]
    assert list(variants) == ["vae", "beta-1", "beta-4.5", "factor", "wrong"]


def test_each_variant_is_judged_alone(lrx: Lrx, tmp_path: Path, file: Path) -> None:
    words = ["train", *SMALL, f"variants={file.name}", "seed=1", "name=s"]
    done = lrx(*words)
    assert done.returncode == 2
    assert done.stderr.count("there is no key model.beta") == 1
    assert "1 job of this sweep failed" in done.stderr
    sweep = tmp_path / "outputs/train/s"
    names = {path.name.rpartition("-")[0]: path for path in sweep.glob("*/")}
    kinds = ("vae", "betavae-beta_1", "betavae-beta_4.5", "factorvae-factor", "vae-wrong")
    assert names.keys() == {*kinds}
    config = run_folder.read_flat(names["betavae-beta_4.5"])
    assert (config["variant"], config["model.beta"], config["seed"]) == ("beta-4.5", "4.5", "1")
    assert {status.read(path).state for name, path in names.items() if "wrong" not in name} == {"done"}
    again = lrx(*words)
    assert again.stderr.count("is finished") == 4
    plain = lrx("train", "-m", *SMALL, "model=betavae", "model.beta=1,4.5", "seed=1", "name=s")
    assert plain.stderr.count("is finished") == 2  # the same runs without the file


def test_variants_of_an_assay(lrx: Lrx, place: Path) -> None:
    (place / "few.yaml").write_text("variants: {few: {assay.num_samples: 4}, map: [assay=codes, assay.num_images=4]}")
    done = lrx("assay", "ckpt=outputs/train/run", "variants=few.yaml", "name=s")
    names = {path.name.rpartition("-")[0] for path in (place / "outputs/assay/s").glob("*/")}
    assert names == {"run-few", "run-map"}, done.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("variants: {}", "has variants; a file of variants has, below `variants:`, names with overrides"),
        ("jobs: {a: [seed=1]}", "has jobs; a file of variants has"),
        ("variants: {a: [seed=1]}\nname: x", "has name, variants; a file of variants has"),
        ("- a", "has no keys; a file of variants has"),
        ("variants: {a: seed}", "the variant a has no overrides"),
        ("variants: {a: [seed]}", "the variant a has no overrides"),
        ("variants: {a b: [seed=1]}", "the name 'a b' of a variant must begin with a letter and have no spaces"),
        ("variants: {a: [name=x]}", "the variant a cannot set name, which is of the whole sweep"),
        ("variants: {a: [latent_dim=3]}", "the variant a sets latent_dim, and so does the command; leave one out"),
        ("variants: {a: ['seed=1,2'], a-1: [seed=3]}", "two variants are called a-1; rename one"),
        ("variants: {a: [seed=1], a: [seed=2]}", "found duplicate key a"),
        ("variants: [", "is no yaml"),
    ],
)
def test_files_of_another_form(lrx: Lrx, tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "v.yaml").write_text(text)
    refused = lrx("train", "-m", "variants=v.yaml", "latent_dim=2,3", "name=s")
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert message in refused.stderr
    assert not (tmp_path / "outputs").exists()


def test_file_that_is_not_there(lrx: Lrx) -> None:
    assert lrx("train", "variants=v.yaml").stderr == "lrx: v.yaml: No such file or directory\n"
