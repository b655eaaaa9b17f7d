from __future__ import annotations

from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from matplotlib.figure import Figure

from lrx.assays.interpolation import plot
from lrx.assays.plotting import drawing
from lrx.core.types import Array, AssayResult
from lrx.storage import results

PROVENANCE = {"model": "lrx.models.betavae.BetaVAE", "dataset": "dsprites", "dataset_source": "official file"}
SOURCES = ("data", "prior", "hybrid", "refined", "posterior")
PATHS = ("straight", "response", "graph", "relaxed")


def whole(path: Path) -> bool:
    """A picture with something in it and nothing cut off at its edges."""
    pixels = matplotlib.image.imread(path)[..., :3]
    edges = (pixels[[0, -1]] == 1).all() and (pixels[:, [0, -1]] == 1).all()
    return bool(edges and len(np.unique(pixels.mean(axis=-1))) > 20 and 300 < min(pixels.shape[:2]) < 3000)


def said(figure: Figure) -> str:
    """Texts in the axes, their titles, and the caption."""
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    titles = [axes.get_title(loc=loc) for axes in figure.axes for loc in ("left", "center")]
    return " ".join(" ".join([str(figure.get_label()), *texts, *titles]).split())


def observations(images: bool, *leading: int) -> tuple[np.ndarray, tuple[str, ...]]:
    if images:
        return np.full((*leading, 3, 8, 6), 120, dtype=np.uint8), ("channel", "height", "width")
    return np.zeros((*leading, 3), dtype=np.float32), ("dimension",)


@pytest.mark.parametrize("images", [True, False])
def test_samples_stand_beside_their_scores(tmp_path: Path, figures: list[Figure], images: bool) -> None:
    arrays = {}
    for place, name in enumerate(("frechet", "kernel", "precision", "recall", "mean_u")):
        values = np.arange(5) + place / 10
        arrays[name] = Array(values, ("source",))
        arrays[f"{name}_se"] = Array(np.full(5, 0.021), ("source",))
    arrays["mean_u"].values[0] = np.nan
    arrays["kernel"].values[0], arrays["kernel_se"].values[0] = 6e-05, 0.0052
    arrays["frechet_bias"] = Array(np.full(5, 0.77), ("source",))
    samples, axes = observations(images, 5, 4)
    arrays["samples"] = Array(samples, ("source", "shown", *axes))
    settings = {"num_samples": 1024, "num_features": 64, "features": "probe", "refinements": 4}
    result = AssayResult(arrays, {"source": np.array(SOURCES)}, {"probe_accuracy": 0.91}, settings)
    results.write(tmp_path / "result.h5", {"generation": result}, PROVENANCE)
    (path,) = drawing.draw("generation", tmp_path / "result.h5", tmp_path)
    assert path == tmp_path / "generation.png"
    assert whole(path)
    text = said(figures[0])
    for expected in ("1,024 samples", "(accuracy 0.91)", "0.77 is due to finite samples", "hybrid", "3.10 ±.02"):
        assert expected in text
    assert "0.000 ±.005" in text  # 6e-05 ± 0.0052
    assert "nan" not in text
    assert text.count("–") == 1  # images have no latents


@pytest.mark.parametrize(("images", "pairs", "accuracy"), [(True, 3, 0.5), (False, 1, 0.95)])
def test_paths_are_strips_with_scores(
    tmp_path: Path, figures: list[Figure], images: bool, pairs: int, accuracy: float
) -> None:
    arrays, scores = {"u": Array(np.ones((4, pairs, 7)), ("path", "pair", "point"))}, {"num_sharing": 2.0}
    for name in ("mean_u", "jump", "length", "cost", "kept"):
        arrays[name] = Array(np.full((4, pairs), 1.25), ("path", "pair"))
        for path in PATHS:
            scores[f"{name}_{path}"], scores[f"{name}_{path}_se"] = 3.5, np.nan if pairs == 1 else 0.25
    scores["probe_accuracy"] = accuracy
    shown = min(2, pairs)
    decoded, axes = observations(images, 4, shown, 7)
    arrays["images"] = Array(decoded, ("path", "shown", "point", *axes))
    arrays["ends"] = Array(np.arange(2 * pairs).reshape(pairs, 2) + 70, ("pair", "end"))
    settings = {"num_pairs": pairs, "pulls": 4, "num_nodes": 9, "steps": 5, "weight": 1.5}
    result = AssayResult(arrays, {"path": np.array(PATHS)}, scores, settings)
    results.write(tmp_path / "result.h5", {"interpolation": result}, PROVENANCE)
    (path,) = drawing.draw("interpolation", tmp_path / "result.h5", tmp_path)
    assert whole(path)
    text = said(figures[0])
    panels = [panel for panel in figures[0].axes if panel.get_title(loc="left") in plot.SCORES.values()]
    assert len(panels) == 5
    for panel in panels:
        dots = [line for line in panel.lines if line.get_marker() in "os^D"]
        assert [float(np.asarray(line.get_xdata())[0]) for line in dots] == [3.5] * 4
    assert "length + 1.5 times the integral" in text
    assert "from image 70 to image 71" in text
    assert ("accuracy of 0.50" in text) == ("what is kept is doubtful" in text) == (accuracy < 0.8)


def test_remark_on_equal_strips(tmp_path: Path, figures: list[Figure]) -> None:
    decoded, axes = observations(True, 4, 2, 7)
    decoded[1] += 1  # `response` is like `straight` in no pair, `graph` in the first, `relaxed` in both
    decoded[2, 1, 3] += 1
    scores = {f"mean_u_{path}{end}": 1.0 for path in PATHS for end in ("", "_se")}
    arrays = {
        "u": Array(np.ones((4, 2, 7)), ("path", "pair", "point")),
        "mean_u": Array(np.array([[1.0, np.nan]] * 4), ("path", "pair")),
        "images": Array(decoded, ("path", "shown", "point", *axes)),
        "ends": Array(np.arange(4).reshape(2, 2), ("pair", "end")),
    }
    settings = {"num_pairs": 2, "pulls": 4, "num_nodes": 9, "steps": 5, "weight": 1.0, "remark": "of two pairs"}
    result = AssayResult(arrays, {"path": np.array(PATHS)}, scores, settings)
    results.write(tmp_path / "result.h5", {"interpolation": result}, PROVENANCE)
    drawing.draw("interpolation", tmp_path / "result.h5", tmp_path)
    text = said(figures[0])
    assert "response is the same" not in text
    assert "graph is the same as straight in 1 of the 2 pairs shown" in text
    assert "relaxed is the same as straight in 2 of the 2 pairs shown" in text
    assert "of two pairs" in text


@pytest.mark.parametrize("factors", [1, 5])
def test_every_factor_has_its_panel(tmp_path: Path, figures: list[Figure], factors: int) -> None:
    axes = ("factor", "latents", "labels")
    accuracy = np.full((factors, 3, 2), 0.7)
    accuracy[-1, 0] = np.nan
    named = np.eye(factors, 4, dtype=np.uint8)
    named[-1] = 0
    arrays = {
        "accuracy": Array(accuracy, axes),
        "accuracy_se": Array(np.full_like(accuracy, 0.02), axes),
        "named": Array(named, ("factor", "latent")),
        "chance": Array(np.full(factors, 0.25), ("factor",)),
    }
    labels = {"factor": [f"position_{i}" for i in range(factors)], "latents": ["named", "all", "random"]}
    coordinates = {name: np.array(values) for name, values in labels.items()} | {"labels": np.array([100, 1000])}
    result = AssayResult(arrays, coordinates, {}, {"num_test": 2000, "repeats": 3, "threshold": 0.5})
    results.write(tmp_path / "result.h5", {"factor_inference": result}, PROVENANCE)
    (path,) = drawing.draw("factor_inference", tmp_path / "result.h5", tmp_path)
    assert whole(path)
    assert len(figures[0].axes) == factors + 1
    assert "names no latent" in said(figures[0])
    assert all(axes.get_ylim()[1] < 0.9 for axes in figures[0].axes[:factors])  # what they show fills them
    assert ("names 0" in said(figures[0])) == (factors > 1)


@pytest.mark.parametrize("name", ["generation", "interpolation", "factor_inference"])
def test_a_file_without_the_assay_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "other.h5"
    results.write(path, {"maps": AssayResult({"x": Array(np.ones(2), ("latent",))}, {})}, {})
    with pytest.raises(ValueError, match="; it has maps"):
        drawing.draw(name, path, tmp_path)
