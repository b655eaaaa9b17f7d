from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import matplotlib as mpl
import matplotlib.image
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from lrx.assays.conditioned_response import plot
from lrx.assays.plotting import drawing
from lrx.core.types import Array, AssayResult
from lrx.storage import results

AXES = ("factor", "latent")
NAMES = ("floor_hue", "wall_hue", "object_hue", "scale", "shape", "orientation")


def written(
    folder: Path, factors: int, latents: int, cds: float = 0.5, *, remark: str | None = None, gain: float = 1.0
) -> Path:
    values = (np.eye(factors, latents) * 0.9 + 0.05) * gain
    values[:, -1] = 0.0
    scores = {"cds": cds, "cds_corrected": cds, "completeness": 0.4, "num_responsive": 1.0, "num_uncovered": 0.0}
    result = AssayResult(
        arrays={
            "matrix": Array(values, AXES, "latent"),
            "matrix_se": Array(np.full_like(values, 0.0021), AXES, "latent"),
            "num_groups": Array(np.full(factors, 64), AXES[:1]),
        },
        coordinates={"factor": np.array(NAMES[:factors]), "latent": np.arange(latents)},
        scores=scores | {f"{name}_se": 0.012 for name in scores},
        settings={"reduction": "mean_of_rms", "threshold": 0.1, "remark": remark},
    )
    path = folder / "result.h5"
    provenance = {"model": "lrx.models.vae.VAE", "dataset": "3dshapes", "dataset_source": "official file"}
    results.write(path, {"conditioned_response": result}, provenance)
    return path


def draw(path: Path, folder: Path) -> list[Path]:
    """Draw the assay of a results file."""
    return drawing.save(plot.figures, *drawing.read(path, "conditioned_response"), folder)


@pytest.mark.parametrize(("factors", "latents"), [(1, 1), (2, 3), (6, 24), (6, 25), (6, 256)])
def test_draws_any_size(tmp_path: Path, figures: list[Figure], factors: int, latents: int) -> None:
    before = dict(mpl.rcParams)
    paths = draw(written(tmp_path, factors, latents), tmp_path)
    assert dict(mpl.rcParams) == before
    assert paths == [tmp_path / "conditioned_response.png"]
    pixels = matplotlib.image.imread(paths[0])[..., :3]
    assert max(pixels.shape) < 2600
    assert (pixels[[0, -1]] == 1).all()  # nothing is cut off at the edge
    assert (pixels[:, [0, -1]] == 1).all()
    numbers = [text for text in figures[0].axes[0].texts if text.get_text().startswith(("0", "1", ".", "±", "<"))]
    assert len(numbers) == factors * latents * (2 if latents <= 3 else 1 if latents <= 24 else 0)


def test_labels_and_frames(tmp_path: Path, figures: list[Figure]) -> None:
    draw(written(tmp_path, 2, 3), tmp_path)
    axes = figures[0].axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["floor hue", "wall hue"]
    frames = [patch.get_xy() for patch in axes.patches if isinstance(patch, Rectangle)]
    assert [(round(x), round(y)) for x, y in frames] == [(0, 0), (1, 1)]  # the last latent answers to nothing
    said = str(figures[0].get_label())
    for part in ("3dshapes (official file)", "64 groups of a factor", "CDS 0.5 ± 0.012", "completeness 0.4 ± 0.012"):
        assert part in said


def test_undefined_score(tmp_path: Path, figures: list[Figure]) -> None:
    draw(written(tmp_path, 2, 3, cds=math.nan), tmp_path)
    assert "CDS not defined" in str(figures[0].get_label())


def test_result_of_version_0_1(tmp_path: Path, figures: list[Figure]) -> None:
    result, provenance = drawing.read(written(tmp_path, 2, 3), "conditioned_response")
    scores = {name.replace("num_responsive", "num_answering"): value for name, value in result.scores.items()}
    drawing.save(plot.figures, dataclasses.replace(result, scores=scores), provenance, tmp_path)
    assert "responsive latents 1 of 3" in str(figures[0].get_label())


def test_remark_and_frame_legend(tmp_path: Path, figures: list[Figure]) -> None:
    for gain, remark in ((1.0, None), (0.01, "no latent answers to any factor")):
        draw(written(tmp_path, 2, 3, remark=remark, gain=gain), tmp_path)
    alive, dead = (
        " ".join([str(one.get_label()), *(text.get_text() for text in one.axes[0].texts)]).replace(
            "\N{NO-BREAK SPACE}", " "
        )
        for one in figures
    )
    assert "□ the factor each latent answers to most" in alive
    assert "□" not in dead
    assert "no latent answers to any factor" in dead
    assert "no latent answers" not in alive


def test_file_without_assay_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.h5"
    results.write(path, {"maps": AssayResult({"x": Array(np.ones(2), ("latent",))}, {})}, {})
    with pytest.raises(ValueError, match="has no conditioned_response; it has maps"):
        draw(path, tmp_path)


def test_result_of_one_factor_is_drawn(tmp_path: Path, figures: list[Figure]) -> None:
    stored = results.read(written(tmp_path, 1, 3))
    result = stored.assays["conditioned_response"]
    scores = {name: value for name, value in result.scores.items() if not name.startswith("cds")}
    provenance = stored.provenance_of["conditioned_response"]
    drawing.save(plot.figures, dataclasses.replace(result, scores=scores), provenance, tmp_path)
    assert "completeness 0.4" in str(figures[0].get_label())
    assert "CDS" not in str(figures[0].get_label())


def test_frames_count_in_units_of_quantised_latents(tmp_path: Path, figures: list[Figure]) -> None:
    result, provenance = drawing.read(written(tmp_path, 2, 3, gain=1e-3), "conditioned_response")
    arrays = {**result.arrays, "unit": Array(np.full(3, 1e-3), AXES[1:], "latent")}
    drawing.save(plot.figures, dataclasses.replace(result, arrays=arrays), provenance, tmp_path)
    assert len([patch for patch in figures[0].axes[0].patches if isinstance(patch, Rectangle)]) == 2
