from __future__ import annotations

from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from matplotlib.figure import Figure

from lrx.assays.manifold import plot
from lrx.assays.plotting import drawing
from lrx.core.types import Array, AssayResult
from lrx.storage import results


def written(folder: Path, *, latents: int = 6, points: int = 40, probed: bool = False, constant: bool = False) -> Path:
    random = np.random.default_rng(0)
    arrays, scores = {}, {"holes_by_divergence": 0.1, "holes_by_divergence_se": 0.01}
    scores |= {"holes_by_magnitude": 0.2, "holes_by_magnitude_se": 0.03}
    for source, axis in (("prior", "prior_point"), ("posterior", "image")):
        for name in ("divergence", "magnitude", "participation"):
            values = np.full(points, np.nan if name == "participation" else 0.0)
            if not constant:
                values = random.normal(size=points)
            arrays[f"{name}_{source}"] = Array(values, (axis,))
        scores |= {f"mean_participation_{source}": np.nan if constant else 2.5, f"mean_dimension_{source}": 3.0}
        scores[f"mean_participation_{source}_se"] = np.nan if constant else 0.125
        scores[f"mean_dimension_{source}_se"] = 0.1
        if not probed:
            spectrum = -np.sort(-random.random((points, latents)), axis=1)
            arrays[f"spectrum_{source}"] = Array(spectrum, (axis, "rank"))
    settings = {"num_points": points, "num_images": points, "codes": "sample", "quantile": 0.99}
    settings |= {"jacobian": "hutchinson", "num_probes": 8, "threshold": None} if probed else {}
    settings = {"jacobian": "exact", "num_probes": None, "threshold": 0.1} | settings
    settings |= {"remark": "the Jacobian is 0" if constant else None}
    path = folder / "result.h5"
    coordinates = {} if probed else {"rank": np.arange(1, latents + 1)}
    results.write(path, {"manifold": AssayResult(arrays, coordinates, scores, settings)}, {"model": "a.VAE"})
    return path


def draw(path: Path, folder: Path) -> list[Path]:
    """Draw the assay of a results file."""
    return drawing.save(plot.figures, *drawing.read(path, "manifold"), folder)


@pytest.mark.parametrize(
    "shape",
    [
        {},
        {"probed": True},
        {"latents": 256},
        {"latents": 1, "points": 1},
        {"constant": True},
        {"constant": True, "probed": True},
    ],
)
def test_draws_any_size(tmp_path: Path, shape: dict[str, int]) -> None:
    (path,) = draw(written(tmp_path, **shape), tmp_path)  # type: ignore[arg-type]
    pixels = matplotlib.image.imread(path)[..., :3]
    assert path.name == "manifold.png"
    assert (pixels[[0, -1]] == 1).all()
    assert len(np.unique(pixels.mean(axis=-1))) > 20


@pytest.mark.parametrize("probed", [False, True])
def test_undefined_participation_has_remark(tmp_path: Path, figures: list[Figure], probed: bool) -> None:
    for constant in (False, True):
        draw(written(tmp_path, constant=constant, probed=probed), tmp_path)
    alive, dead = (str(one.get_label()) for one in figures)
    assert "participation ratio 2.50 ± 0.12 (prior), 2.50 ± 0.12 (posterior)" in alive
    assert "the dimension at codes of images counts" in alive
    assert "the Jacobian is 0" not in alive
    assert "participation ratio not defined (prior), not defined (posterior)" in dead
    assert dead.endswith("the Jacobian is 0")


def test_both_dimensions_are_named(tmp_path: Path, figures: list[Figure]) -> None:
    draw(written(tmp_path), tmp_path)
    spectrum = figures[0].axes[0]
    assert spectrum.get_title(loc="left") == "dimension 3.00 ± 0.10 at codes of images"
    legend = spectrum.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == [
        "prior points: 3.00 ± 0.10",
        "codes of images: 3.00 ± 0.10",
    ]
    triangles = [np.asarray(line.get_xdata()).tolist() for line in spectrum.lines if line.get_marker() == "v"]
    assert triangles == [[2.5], [2.5]]
    assert any("▽\N{NO-BREAK SPACE}participation ratio" in text.get_text() for text in spectrum.texts)


def test_histogram_ignores_distant_zero(tmp_path: Path, figures: list[Figure]) -> None:
    path = written(tmp_path)
    stored = results.read(path)
    for source in ("prior", "posterior"):
        stored.assays["manifold"].arrays[f"divergence_{source}"].values[:] -= 100.0
    results.write(tmp_path / "far.h5", stored.assays, {})
    draw(tmp_path / "far.h5", tmp_path)
    assert figures[0].axes[1].get_xlim()[1] < -90.0


def test_file_without_assay_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.h5"
    results.write(path, {"maps": AssayResult({"x": Array(np.ones(2), ("latent",))}, {})}, {})
    with pytest.raises(ValueError, match="has no manifold; it has maps"):
        draw(path, tmp_path)
