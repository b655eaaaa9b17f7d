"""Every command and snippet of docs/, run small; links, and what tables are made from."""

from __future__ import annotations

import fnmatch
import importlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
import yaml
from omegaconf import OmegaConf
from PIL import Image
from safetensors.torch import save_file
from sklearn.metrics import mutual_info_score

from lrx.cli import main
from lrx.core.settings import as_yaml
from scripts.toy_assays import SMALL
from tests.cli.test_configs import ToyGrid, model_from
from tests.conftest import Lrx
from tests.support.foreign_models import FOREIGN, D

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = {path.relative_to(DOCS).as_posix(): path.read_text(encoding="utf-8") for path in sorted(DOCS.rglob("*.md"))}
BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```', re.S | re.M)
EXTENDING = "extending.md"
RUN = [page for page, text in PAGES.items() if re.search(r"^```(bash|python)\n", text, re.M) and page != EXTENDING]

TRAIN = ["trainer.steps=2", "trainer.batch_size=4"]


def small(words: list[str]) -> list[str]:
    """The words of a command, with less to do: later words win."""
    command, keys = words[0], dict(word.split("=", 1) for word in words if "=" in word)
    choice = keys.get("assay", "response_matrix")
    words = [word.replace("dataset=3dshapes", "dataset=dsprites") for word in words]  # which test_readme.py renders
    if "hydra/launcher" in keys:  # which test_sweeps.py runs
        return [re.sub(r"=([^,=]+),[^=]*$", r"=\1", word) for word in words if word != "-m"] + ["--cfg", "job"]
    if command == "import" and "layout" in keys:  # whose weights come from test_import.py
        return [*words, f"latent_dim={D}"]
    if command == "prepare" and "download=true" in words:
        return [*words, "--cfg", "job"]
    if command == "train":
        return [*words, *TRAIN]
    if command != "assay":
        return words
    if choice == "paper":
        return [*words, "assay.only=[response_matrix]", "assay.assays.response_matrix.num_samples=4"]
    known = OmegaConf.load(ROOT / "configs" / "assay" / f"{choice}.yaml")
    fast = ["assay.only=[mig]"] if choice == "metrics" else []
    less = {key: value for key, value in SMALL.items() if key in known}
    if "assay.values" in keys:  # in place of steps
        less.pop("steps", None)
    return [*words, *(f"assay.{key}={as_yaml(value)}" for key, value in less.items()), *fast]


def commands(text: str) -> list[list[str]]:
    lines = (shlex.split(line, comments=True) for line in text.splitlines())
    return [words[1:] for words in lines if words and words[0] == "lrx"]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, data_root: Path) -> Path:
    """A folder with the run that most pages measure."""
    folder = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("LRX_DATA", str(data_root))
        assert main.main(["train", "experiment=demo", "name=demo", *TRAIN]) == 0
    return folder


@pytest.fixture
def workplace(demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with that run, and with what a person brings along."""
    shutil.copytree(demo / "outputs", tmp_path / "outputs")
    (tmp_path / "photos").mkdir()
    for number in range(6):
        Image.fromarray(np.full((80, 96, 3), 40 * number, dtype=np.uint8)).save(tmp_path / "photos" / f"{number}.png")
    (tmp_path / "shapes3d" / "data").mkdir(parents=True)
    shutil.copy(ROOT / "tests/data/hub_shapes.parquet", tmp_path / "shapes3d/data/train-00000-of-00001.parquet")
    torch.manual_seed(0)
    authors = model_from("network=conv5", "model=vae", "latent_dim=24", dataset=ToyGrid((1, 64, 64)))
    save_file(authors.state_dict(), tmp_path / "vae.safetensors")
    for layout, name in (("disentangling_vae", "model.pt"), ("disent", "disent.ckpt")):
        make, _, prefix = FOREIGN[layout]
        torch.save({prefix + key: value for key, value in make(1).state_dict().items()}, tmp_path / name)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.mark.filterwarnings("ignore:.* reconstructs no better than the mean image")  # weights of examples are random
@pytest.mark.usefixtures("without_pictures")
@pytest.mark.parametrize("page", RUN)
def test_what_a_page_says_runs(page: str, lrx: Lrx, workplace: Path) -> None:
    for language, title, text in BLOCK.findall(PAGES[page]):
        if title:
            (workplace / title).write_text(text, encoding="utf-8")
        elif language == "python":
            exec(compile(text, page, "exec"), {"__name__": "docs"})
        elif language == "bash":
            assert commands(text), f"{page} has a block without a command of lrx"
            for words in commands(text):
                done = lrx(*small(words))
                if words[0] == "prepare" and done.returncode:
                    assert "official files are missing" in done.stderr
                else:
                    assert done.returncode == 0, (words, done.stderr)


def test_extending_page_works_in_copy(tmp_path: Path, environment: dict[str, str]) -> None:
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "lrx", tmp_path / "lrx", ignore=ignore)
    shutil.copytree(ROOT / "configs", tmp_path / "lrx" / "configs", ignore=ignore)
    typed = []
    for language, title, text in BLOCK.findall(PAGES[EXTENDING]):
        if title:
            place = tmp_path / "lrx" / title if title.startswith("configs/") else tmp_path / title
            assert not place.exists()
            place.parent.mkdir(exist_ok=True)
            place.write_text(text, encoding="utf-8")
        elif language == "bash":
            typed += [small_copy(words) for words in commands(text)]
    run = f"from lrx.cli.main import main; import sys; sys.exit(max(main(words) for words in {typed!r}))"
    done = subprocess.run(
        [sys.executable, "-c", run],
        cwd=tmp_path,
        env=environment | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "mean distance" in done.stdout
    assert (tmp_path / "outputs/assay/stripes/idempotence.png").is_file()
    assert (tmp_path / "outputs/assay/stripes/result.h5").is_file()


def small_copy(words: list[str]) -> list[str]:
    if words[0] == "train":
        return [*words, *TRAIN]
    return words if "assay=metrics" in words else [*words, "assay.num_samples=8"]


def test_links_between_pages_lead_somewhere() -> None:
    for page, text in PAGES.items():
        for link in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", text, flags=re.S)):
            path = link.partition("#")[0]
            if path and "://" not in link:
                assert ((DOCS / page).parent / path).is_file(), f"{page}: {link}"


def pages_of(nav: object) -> Iterator[str]:
    if isinstance(nav, str):
        yield from fnmatch.filter(PAGES, nav) if "*" in nav else [nav]
    for entry in nav.values() if isinstance(nav, dict) else nav if isinstance(nav, list) else ():
        yield from pages_of(entry)


def test_pages_and_assays_are_in_navigation(tables: ModuleType) -> None:
    found = re.search(r"^nav:.*", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.S | re.M)
    assert found
    nav = set(pages_of(yaml.safe_load(found[0])["nav"]))
    assert set(PAGES) <= nav
    assays = {path.stem for path in (ROOT / "configs/assay").glob("*.yaml")}
    assert {f"assays/{name}.md" for name in (*assays, "index")} == {page for page in nav if page.startswith("assays/")}
    assert all(f"<!-- table: settings assay/{name} -->" in PAGES[f"assays/{name}.md"] for name in assays)
    assert all(f"[{name}]({name}.md)" in tables.assays() for name in assays)


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """scripts/docs_tables.py, from which the tables of the pages come."""
    monkeypatch.syspath_prepend(ROOT / "scripts")
    return importlib.import_module("docs_tables")


def leaves(node: object, above: str = "") -> Iterator[str]:
    if isinstance(node, dict) and node:
        for key, value in node.items():
            yield from leaves(value, f"{above}.{key}" if above else str(key))
    else:
        yield above


def test_the_tables_have_every_key_of_every_config(tables: ModuleType) -> None:
    for path in (ROOT / "configs").rglob("*.yaml"):
        node = OmegaConf.to_container(OmegaConf.load(path))
        assert isinstance(node, dict)
        own = {key: value for key, value in node.items() if key not in tables.PRIVATE}
        listed = [key.name for key in tables.keys(path)]
        for leaf in leaves(own) if own else ():
            assert any(leaf == key or leaf.startswith(f"{key}.") for key in listed), f"{path}: {leaf}"


def test_settings_row_has_default_type_meaning(tables: ModuleType) -> None:
    rows = tables.settings("assay/response_matrix").splitlines()
    meaning = "source of base points and values: prior \\| posterior \\| posterior\\_sample; auto: prior"
    assert any(row.startswith(f"| `assay.base` | `auto` | `str` | {meaning}") for row in rows)
    assert any(row.startswith("| `assay.target_se` | `null` | `float | None` |") for row in rows)
    assert "| `model.beta` | `4.0` | `float` |" in tables.settings("model/betavae")
    assert "| `model.variance` | `1.0` | `float` | of the gaussian |" in tables.settings("model/betavae")


def test_parameters_of_networks_are_counted(tables: ModuleType) -> None:
    page = tables.networks()  # sizes: Locatello et al. 2019; published weights of Leeb et al. 2022, Burgess et al. 2018
    for name, count in {"conv64": "692,567", "conv5": "510,067", "burgess": "502,005"}.items():
        assert f"**{count} parameters**" in page.partition(f"## {name}\n")[2].partition("\n## ")[0]


def test_metric_of_the_page_is_migsup() -> None:
    """The score is that of Li et al. 2020, over latents that vary, by scikit-learn's information of the same bins."""
    text = next(text for _, title, text in BLOCK.findall(PAGES[EXTENDING]) if title == "lrx/metrics/migsup.py")
    page = ModuleType("migsup")
    exec(compile(text, "migsup.py", "exec"), page.__dict__)
    random = np.random.default_rng(0)
    classes = np.stack([random.integers(0, size, 2000) for size in (4, 3, 2)], axis=1)
    mixed = classes[:, 1] + 3 * classes[:, 2]
    codes = np.stack([classes[:, 0], mixed, random.normal(size=2000), np.zeros(2000)], axis=1)
    codes[:, :2] += 0.1 * random.normal(size=(2000, 2))
    gaps = []
    for code in codes.T[:3]:
        bins = np.digitize(code, np.histogram_bin_edges(code, 20)[:-1])
        shares = sorted(mutual_info_score(bins, labels) / mutual_info_score(labels, labels) for labels in classes.T)
        gaps.append(shares[-1] - shares[-2])
    result = page.migsup(codes, classes, bins=20)
    assert result.migsup == pytest.approx(np.mean(gaps))
    assert gaps[0] > 0.95 > 0.1 > gaps[1]  # one factor alone, and two in one latent


def test_an_assay_tells_what_it_writes(tables: ModuleType) -> None:
    rows = importlib.import_module("docs_contents").contents("response_matrix").splitlines()
    assert any(row.startswith("| `matrix_se` | intervened, responding | float64 | latent |") for row in rows)


def test_make_docs_is_a_target() -> None:
    done = subprocess.run(["make", "-n", "docs"], cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "mkdocs build --strict" in done.stdout
