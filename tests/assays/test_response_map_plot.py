from __future__ import annotations

import itertools
from pathlib import Path

import matplotlib as mpl
import matplotlib.image
import numpy as np
import pytest
from matplotlib.figure import Figure

from lrx.assays.plotting import drawing
from lrx.assays.plotting.image_grid import sheet
from lrx.core.types import Array, AssayResult
from lrx.storage import results

PLANE = ("pair", "second", "first")
SIDE = 24


def written(
    folder: Path, latents: int = 2, *, vectors: bool = False, remark: str | None = None, still: bool = False
) -> Path:
    """Write maps of a ring of fixed points for every pair of latents."""
    pairs = list(itertools.combinations(range(latents), 2))
    axis = np.linspace(-3, 3, SIDE)
    z = np.stack(np.meshgrid(axis, axis))
    radius = np.hypot(*z)
    u = 0 * z if still else (1 / radius - 1) * z
    divergence = 0 * radius if still else 1 / radius - 2
    curvature = np.where(radius > 1, 0.5 / radius, -0.5 / radius) + (np.nan if still else 0)
    decoded = np.zeros((5, 5, 3), dtype=np.float32) if vectors else np.full((5, 5, 1, 8, 8), 9, dtype=np.uint8)
    observation = ("dimension",) if vectors else ("channel", "height", "width")
    everywhere = {
        "divergence": divergence,
        "divergence_error": 0.01 * radius,
        "magnitude": np.hypot(*u),
        "curvature": curvature,
    }
    codes = np.random.default_rng(0).normal(size=(len(pairs), 50, 2))
    result = AssayResult(
        arrays={
            **{name: Array(np.stack([values] * len(pairs)), PLANE) for name, values in everywhere.items()},
            "u": Array(np.stack([u] * len(pairs)), ("pair", "component", "second", "first")),
            "latents": Array(np.array(pairs), ("pair", "component")),
            "posterior": Array(codes, ("pair", "code", "component")),
            "decoded": Array(
                np.stack([decoded] * len(pairs)), ("pair", "decoded_second", "decoded_first", *observation)
            ),
        },
        coordinates={"first": axis, "second": axis, **dict.fromkeys(("decoded_first", "decoded_second"), axis[:5])},
        scores={"divergence_error_median": 0.01},
        settings={
            "latents": "auto",
            "base": "image",
            "index": 5,
            "resolution": SIDE,
            "derivative": "grid",
            "remark": remark,
        },
    )
    path = folder / "result.h5"
    provenance = {"model": "lrx.models.vae.VAE", "dataset": "dsprites", "dataset_source": "official file"}
    results.write(path, {"response_map": result}, provenance)
    return path


def draw(path: Path, folder: Path) -> list[Path]:
    return drawing.draw("response_map", path, folder)


def text_of(figure: Figure) -> str:
    return " ".join(text.get_text() for axes in figure.axes for text in axes.texts)


@pytest.mark.parametrize("vectors", [False, True])
def test_picture_of_one_pair(tmp_path: Path, figures: list[Figure], vectors: bool) -> None:
    before = dict(mpl.rcParams)
    assert draw(written(tmp_path, vectors=vectors), tmp_path) == [tmp_path / "response_map.png"]
    assert dict(mpl.rcParams) == before
    pixels = matplotlib.image.imread(tmp_path / "response_map.png")[..., :3]
    assert (pixels[[0, -1]] == 1).all()
    axes = figures[0].axes
    assert (axes[0].get_xlabel(), axes[0].get_ylabel()) == ("latent 0", "latent 1")
    low, high = axes[0].images[0].get_clim()
    assert low == -high  # white is 0
    for words in ("VAE", "dsprites (official file)", "base: image 5", "24 x 24 points"):
        assert words in str(figures[0].get_label())
    assert "median error of the divergence 0.01" in str(figures[0].get_label())
    assert "latents 0 and 1: of informative latents, the pair" in str(figures[0].get_label())
    assert "auto" not in str(figures[0].get_label())


@pytest.mark.parametrize("still", [False, True])
def test_clipped_colours_are_named(tmp_path: Path, figures: list[Figure], still: bool) -> None:
    draw(written(tmp_path, still=still), tmp_path)
    assert ("colours end at the 99th percentile" in text_of(figures[0])) == (not still)


def test_pictures_of_many_pairs(tmp_path: Path, figures: list[Figure]) -> None:
    paths = draw(written(tmp_path, 3), tmp_path)
    assert [path.name for path in paths] == ["response_map.png", "response_map_pairs.png"]
    page = figures[1].axes[0]
    assert sum(len(child.images) for child in page.child_axes) >= 2 * 3


def test_remark_and_field_without_motion(tmp_path: Path, figures: list[Figure]) -> None:
    draw(written(tmp_path, remark="latent 1 is not informative", still=True), tmp_path)
    assert "latent 1 is not informative" in str(figures[0].get_label())


def test_sheet_places_images() -> None:
    images = np.arange(6, dtype=np.uint8).reshape(2, 3, 1, 1, 1) * np.ones((1, 1, 1, 4, 5), dtype=np.uint8)
    picture = sheet(images, gap=2)
    assert picture.shape == (10, 19, 3)
    assert picture[::6, ::7, 0].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert (picture[4:6] == 255).all()


def test_file_without_assay_raises(tmp_path: Path) -> None:
    path = tmp_path / "other.h5"
    results.write(path, {"maps": AssayResult({"x": Array(np.ones(2), ("latent",))}, {})}, {})
    with pytest.raises(ValueError, match="has no response_map; it has maps"):
        draw(path, tmp_path)
