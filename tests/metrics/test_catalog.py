"""The catalog of metrics: records of the files, without heavy libraries, and a metric that is one new file."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import lrx
from lrx.metrics import catalog

ROOT = Path(lrx.__file__).parents[1]
ORDER = ["mig", "dci", "sap", "factorvae", "betavae", "irs", "modularity", "explicitness", "unsupervised"]

NEW = '''"""Mean absolute code, a metric of a test."""

import numpy as np

from lrx.core.types import Array
from lrx.metrics.record import LATENT_FACTOR, UNIT_RANGE, Measured, Metric, Score


def _measure(points, generator):
    shape = points.codes_ND.shape[1], points.classes_NF.shape[1]
    array = Array(np.ones(shape), LATENT_FACTOR, "1", "ones")
    return Measured({"shine": 0.25, "shine_count": 7.0}, {"shine_matrix": array})


METRIC = Metric(
    name="shine",
    scores={
        "shine": Score(meaning="How much the codes shine; 1 is best.", label="SHINE", range=UNIT_RANGE, has_se=False),
        "shine_count": Score(meaning="Codes that shine.", label="shining codes", has_se=False),
    },
    measure=_measure,
    maps={"shine_matrix": "Shine of latents"},
)
'''

SESSION = """
from pathlib import Path
from lrx.assays import catalog
from lrx.cli.main import main
from lrx.storage import results

words = ["assay", "ckpt=outputs/train/run", "assay=metrics", "assay.preset=fast"]
assert main([*words, "name=shine", "assay.only=[irs,shine]"]) == 0
assert main([*words, "name=other", "assay.only=[glow]"]) == 2
assert main(["report", "outputs/train/run"]) == 0
stored = results.read(Path("outputs/assay/shine/result.h5"))
figures = catalog.figures_of("metrics")(stored.assays["metrics"], stored.provenance_of["metrics"])
for axes in figures["metrics"].axes:
    print(*(text.get_text() for text in (*axes.texts, *axes.get_yticklabels(), axes.title, *axes.findobj())
            if hasattr(text, "get_text")), sep="\\n")
"""


def test_order_of_metrics_is_that_of_their_seeds() -> None:
    metrics = catalog.metrics()
    assert list(metrics)[:9] == ORDER
    assert [metric.position for metric in metrics.values()][:9] == [*range(1, 10)]
    assert list(metrics)[9:] == ["infomec", "mcc", "r2", "tad"]  # by name, and seeded by it
    assert all(metric.scores for metric in metrics.values())


def test_records_load_without_heavy_libraries() -> None:
    code = (
        "import sys; from lrx.metrics import catalog; catalog.scores(); from lrx.assays.metrics import description; "
        "print([name for name in ('torch', 'scipy', 'sklearn', 'lightgbm') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_metric_of_one_file_in_copy(place: Path) -> None:
    tree = place / "tree"
    shutil.copytree(ROOT / "lrx", tree / "lrx", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "configs", tree / "lrx" / "configs", dirs_exist_ok=True)
    (tree / "lrx" / "metrics" / "shine.py").write_text(NEW, encoding="utf-8")
    environment = {key: value for key, value in os.environ.items() if key != "COLUMNS"} | {"PYTHONPATH": str(tree)}
    ended = subprocess.run(
        [sys.executable, "-c", SESSION], capture_output=True, text=True, check=False, cwd=place, env=environment
    )
    assert ended.returncode == 0, ended.stderr
    assert "shine" in ended.stdout
    assert ", shine, tad, not ['glow']" in ended.stderr
    assert (place / "outputs/assay/shine/metrics.png").is_file()
    for expected in ("SHINE", "0.250", "Shine of latents"):
        assert expected in ended.stdout.splitlines()
    assert " · shining codes 7" in ended.stdout  # a count is in the caption
    (page,) = (place / "outputs").rglob("*.html")
    html = page.read_text(encoding="utf-8")
    assert "shine" in html
    assert "How much the codes shine; 1 is best." in html
