from __future__ import annotations

from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from matplotlib.figure import Figure

from lrx.assays.plotting import drawing
from lrx.core.types import Array, AssayResult
from lrx.storage import results

SCALE = "M_jj of the response matrix, normalization half"


def draw(path: Path, folder: Path) -> list[Path]:
    return drawing.draw("traversal", path, folder)


def written(
    folder: Path, images: int, latents: int, *, vectors: bool = False, offset: float = 0.0, scale: str = SCALE
) -> Path:
    steps = np.linspace(-3, 3, 5)
    shape, axes = ((3,), ("dimension",)) if vectors else ((3, 8, 8), ("channel", "height", "width"))
    walks = np.full((images, latents, 5, *shape), 7, dtype=np.float32 if vectors else np.uint8)
    own = np.broadcast_to(0.5 * steps + offset, (images, latents, 5)).copy()
    row = np.linspace(1, 0, latents)
    result = AssayResult(
        arrays={
            "walk": Array(walks, ("image", "latent", "step", *axes)),
            "own_response": Array(own, ("image", "latent", "step")),
            "self_response": Array(row, ("latent",), "latent", scale),
            "self_response_se": Array(0 * row + 0.02, ("latent",)),
            "informative": Array((row > 0.5).astype(np.uint8), ("latent",), "1", "1 where informative: M_jj > 0.5"),
        },
        coordinates={"step": steps, "latent": np.arange(latents) + 10, "image": np.arange(images) + 100},
        settings={"latents": "informative", "num_images": images, "extent": 3.0, "remark": None},
    )
    path = folder / "result.h5"
    results.write(path, {"traversal": result}, {"model": "lrx.models.vae.VAE", "dataset": "dsprites"})
    return path


@pytest.mark.parametrize(
    ("images", "latents", "vectors"), [(1, 1, False), (4, 3, False), (1, 40, False), (1, 1, True), (3, 2, True)]
)
def test_picture_of_any_size(tmp_path: Path, figures: list[Figure], images: int, latents: int, vectors: bool) -> None:
    assert draw(written(tmp_path, images, latents, vectors=vectors), tmp_path) == [tmp_path / "traversal.png"]
    pixels = matplotlib.image.imread(tmp_path / "traversal.png")[..., :3]
    assert (pixels[[0, -1]] == 1).all()
    assert len(figures[0].axes) == min(latents, 16) * (min(images, 3) + 1)
    texts = [text.get_text() for axes in figures[0].axes for text in axes.texts]
    assert texts.count("image 100") == texts.count("latent 10") == texts.count("1.00 ± 0.02") == 1
    assert (f"16 of {latents}" in str(figures[0].get_label())) == (latents > 16)


def test_marks_and_caption(tmp_path: Path, figures: list[Figure]) -> None:
    draw(written(tmp_path, 1, 5), tmp_path)
    texts = [" ".join(text.get_text().split()) for axes in figures[0].axes for text in axes.texts]
    assert texts.count("▾") == 2  # of 1, 3/4, 1/2, 1/4, 0
    assert any("▾ informative: 2 of 5 (M_jj > 0.5)" in text for text in texts)
    assert "response to itself ± standard error, normalization half" in str(figures[0].get_label())


def test_former_results_are_on_scale_none(tmp_path: Path, figures: list[Figure]) -> None:
    draw(written(tmp_path, 1, 5, scale="M_jj of the response matrix, none"), tmp_path)
    assert "response to itself ± standard error, normalization none" in str(figures[0].get_label())


def test_axis_holds_responses_beyond_values(tmp_path: Path, figures: list[Figure]) -> None:
    draw(written(tmp_path, 1, 1, offset=-7.0), tmp_path)
    (low, high), line = figures[0].axes[1].get_ylim(), figures[0].axes[1].lines[1]
    assert low < line.get_ydata().min()
    assert high > 3.0


def test_file_without_assay_raises(tmp_path: Path) -> None:
    path = tmp_path / "other.h5"
    results.write(path, {"maps": AssayResult({"x": Array(np.ones(2), ("latent",))}, {})}, {})
    with pytest.raises(ValueError, match="has no traversal; it has maps"):
        draw(path, tmp_path)


@pytest.mark.parametrize("values", [[1.5], [-2.0, 2.0], [0.5, 1.0, 4.0], [*range(1, 9)]])
@pytest.mark.parametrize("vectors", [False, True])
def test_images_values_and_other_answers(
    tmp_path: Path, figures: list[Figure], values: list[float], vectors: bool
) -> None:
    path = written(tmp_path, 2, 2, vectors=vectors)
    stored = results.read(path)
    before = stored.assays["traversal"]
    walks = before.arrays["walk"]
    pairs = Array(walks.values[:, 0, 0], ("image", *walks.axes[3:]))
    arrays = {
        **before.arrays,
        "walk": Array(np.repeat(walks.values[:, :, :1], len(values), axis=2), walks.axes),
        "own_response": Array(np.zeros((2, 2, len(values))), walks.axes[:3]),
        "original": pairs,
        "reconstruction": pairs,
        "answer": Array(np.array([[0.2, 0.05, 0.4], [0, 0, 0]]), ("latent", "unit")),
        "answer_se": Array(np.full((2, 3), 0.02), ("latent", "unit")),
    }
    result = AssayResult(
        arrays,
        {**before.coordinates, "step": np.array(values, float), "unit": np.array([0, 10, 30])},
        {},
        {**before.settings, "extent": None, "values": ", ".join(map(str, values)), "steps": len(values)},
    )
    results.write(path, {"traversal": result}, stored.provenance)
    draw(path, tmp_path)
    texts = [" ".join(text.get_text().split()) for axes in figures[0].axes for text in axes.texts]
    assert "latent 30: 0.40 ± 0.02 latent 0: 0.20 ± 0.02" in texts
    assert texts.count("none") == texts.count("others that answer") == 1
    assert ("each image and its reconstruction" in str(figures[0].get_label())) != vectors
    assert texts.count("image 100") == 1
    assert texts.count("image 101") == (vectors or len(values) <= 5)  # as many images as fit the width
    labels = [label.get_text() for axes in figures[0].axes for label in axes.get_xticklabels()]
    if not vectors:
        ends = values if len(values) <= 5 else [values[0], values[-1]]
        assert all(f"{value:+g}" in labels for value in ends)
