from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.image
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lrx.assays.metrics import plot
from lrx.assays.plotting import drawing
from lrx.core.types import Array, AssayResult
from lrx.metrics import catalog
from lrx.storage import results

AXES = ("latent", "factor")
BOUNDED = {name: score.label for name, score in catalog.scores().items() if score.range and score.range[1] == 1}
UNBOUNDED = {name: score.label for name, score in catalog.scores().items() if score.range is None and score.has_se}
MAPS = {name: title for metric in catalog.metrics().values() for name, title in metric.maps.items()}


def written(folder: Path, latents: int = 10, factors: int = 5, full: bool = True) -> Path:
    random = np.random.default_rng(0)
    names = [*BOUNDED, *UNBOUNDED] if full else ["mig"]
    scores = {name: place / len(names) for place, name in enumerate(names)}
    scores |= {f"{name}_se": 0.0123 for name in names if catalog.scores()[name].has_se}
    settings: dict[str, Any] = {"preset": "fast", "num_images": 3000, "factors_left_out": "color"}
    arrays = {
        name: Array(random.random((latents, factors)), AXES, "nat" if name == "mutual_information" else "1")
        for name in (MAPS if full else ["mutual_information"])
    }
    labels = {"latent": np.arange(latents), "factor": np.array([f"factor_{k}" for k in range(factors)])}
    path = folder / "result.h5"
    provenance = {"model": "lrx.models.betavae.BetaVAE", "dataset": "dsprites", "dataset_source": "official file"}
    results.write(path, {"metrics": AssayResult(arrays, labels, scores, settings)}, provenance)
    return path


@pytest.mark.parametrize(("latents", "factors", "full"), [(1, 1, True), (10, 5, True), (256, 7, True), (3, 2, False)])
def test_any_size_becomes_a_picture(tmp_path: Path, latents: int, factors: int, full: bool) -> None:
    paths = drawing.draw("metrics", written(tmp_path, latents, factors, full), tmp_path)
    assert paths == [tmp_path / "metrics.png"]
    pixels = matplotlib.image.imread(paths[0])[..., :3]
    assert 200 < pixels.shape[0] < 1500
    assert pixels.shape[1] == 1080  # two columns of a journal
    assert (pixels[[0, -1]] == 1).all()  # nothing is cut off at the edge
    assert (pixels[:, [0, -1]] == 1).all()


def test_score_dots_and_matrix_factor_names(tmp_path: Path, figures: list[Figure]) -> None:
    drawing.draw("metrics", written(tmp_path), tmp_path)
    scores, others, first_map, second_map = figures[0].axes
    assert [label.get_text() for label in scores.get_yticklabels()] == list(BOUNDED.values())
    assert dots(scores) == pytest.approx(np.arange(len(BOUNDED)) / (len(BOUNDED) + len(UNBOUNDED)))
    said = [text.get_text() for text in scores.texts]
    assert "0.000 ± 0.012" in said
    assert "0.333" in said  # irs, without error
    assert "1/5" in said
    assert [label.get_text() for label in second_map.get_xticklabels()] == [f"factor {k}" for k in range(5)]
    assert "0.810 ± 0.012" in [text.get_text() for text in others.texts]  # without an upper bound
    assert len(first_map.texts) == 50
    for part in ("BetaVAE", "dsprites (official file)", "preset fast", "3,000 images", "left out: color"):
        assert part in str(figures[0].get_label())


def dots(axes: Axes) -> list[float]:
    return [float(np.asarray(line.get_xdata())[0]) for line in axes.lines if line.get_marker() == "o"]


def test_every_score_has_a_mark(tmp_path: Path, figures: list[Figure]) -> None:
    drawing.draw("metrics", written(tmp_path), tmp_path)
    scores, others, *_ = figures[0].axes
    assert len(dots(scores)) + len(dots(others)) == len(BOUNDED) + len(UNBOUNDED)
    assert others.get_xlim()[1] >= max(dots(others))


def test_colours_fit_values_of_map(tmp_path: Path, figures: list[Figure]) -> None:
    path = written(tmp_path)
    stored = results.read(path)
    result = stored.assays["metrics"]
    array = result.arrays["dci_importance"]
    quarter = Array(array.values * 0.41 / array.values.max(), array.axes, array.unit)
    changed = dataclasses.replace(result, arrays={**result.arrays, "dci_importance": quarter})
    drawing.save(plot.figures, changed, stored.provenance_of["metrics"], tmp_path)
    assert figures[0].axes[3].images[0].get_clim() == pytest.approx((0, 0.41))


def test_what_was_not_computed_is_said(tmp_path: Path, figures: list[Figure]) -> None:
    drawing.draw("metrics", written(tmp_path, full=False), tmp_path)
    names = str(figures[0].get_label()).partition("not computed: ")[2].split(", ")
    assert names == [label for name, label in BOUNDED.items() if name != "mig"]


def test_score_without_record_is_a_number(tmp_path: Path, figures: list[Figure]) -> None:
    path = written(tmp_path, full=False)
    stored = results.read(path)
    result = stored.assays["metrics"]
    scores = {**result.scores, "of_another_version": 3.25, "of_another_version_se": 0.5}
    changed = dataclasses.replace(result, scores=scores)
    drawing.save(plot.figures, changed, stored.provenance_of["metrics"], tmp_path)
    others = figures[0].axes[1]
    assert [label.get_text() for label in others.get_yticklabels()] == ["of another version"]
    assert dots(others) == [3.25]
    assert "3.2 ± 0.5" in [text.get_text() for text in others.texts]


def test_drawing_leaves_the_settings_of_matplotlib_alone(tmp_path: Path) -> None:
    before = dict(mpl.rcParams)
    drawing.draw("metrics", written(tmp_path), tmp_path)
    assert dict(mpl.rcParams) == before


def test_a_file_without_the_assay_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.h5"
    results.write(path, {"maps": AssayResult({"x": Array(np.ones(2), ("latent",))}, {})}, {})
    with pytest.raises(ValueError, match="has no metrics; it has maps"):
        drawing.draw("metrics", path, tmp_path)
