from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import matplotlib.image
import numpy as np
import pytest
from matplotlib.figure import Figure

from lrx.assays.plotting import drawing
from lrx.assays.plotting.page import Page, on_page
from lrx.assays.response_matrix import plot
from lrx.core.types import Array, AssayResult
from lrx.storage import results

AXES = ("intervened", "responding")
RULE = "1 where informative: M_jj > 0.5 on the scale none"


def written(
    folder: Path, latents: int, normalization: str = "half", fill: float | None = None, remark: str | None = None
) -> Path:
    values = np.eye(latents) * 0.9 + 0.05 if fill is None else np.full((latents, latents), fill)
    informative = (np.arange(latents) % 2).astype(np.uint8)
    result = AssayResult(
        arrays={
            "matrix": Array(values, AXES, "latent"),
            "matrix_se": Array(np.full_like(values, 0.0021), AXES, "latent"),
            "informative": Array(informative, AXES[1:], "1", RULE),
        },
        coordinates=dict.fromkeys(AXES, np.arange(latents)),
        settings={"base": "prior", "num_samples": 1024, "normalization": normalization, "remark": remark},
    )
    path = folder / "result.h5"
    provenance = {"model": "lrx.models.betavae.BetaVAE", "dataset": "dsprites", "dataset_source": "official file"}
    results.write(path, {"response_matrix": result}, provenance)
    return path


def draw(path: Path, folder: Path) -> list[Path]:
    return drawing.draw("response_matrix", path, folder)


def texts(figure: Figure) -> list[str]:
    """Return the annotations of the matrix."""
    return [text.get_text() for text in figure.axes[0].texts]


@pytest.mark.parametrize("latents", [1, 2, 16, 17, 256])
def test_picture_of_any_size(tmp_path: Path, figures: list[Figure], latents: int) -> None:
    paths = draw(written(tmp_path, latents), tmp_path)
    assert paths == [tmp_path / "response_matrix.png"]
    pixels = matplotlib.image.imread(paths[0])[..., :3]
    assert 300 < pixels.shape[0] < 2000
    assert 300 < pixels.shape[1] < 2000
    assert len(np.unique(pixels.mean(axis=-1))) > 20
    assert (pixels[[0, -1]] == 1).all()  # nothing is cut off at the edge
    assert (pixels[:, [0, -1]] == 1).all()
    cells = [text for text in texts(figures[0]) if text.startswith("±")]
    assert len(cells) == (latents**2 if latents <= 16 else 0)


def test_annotations_caption_and_axes(tmp_path: Path, figures: list[Figure]) -> None:
    draw(written(tmp_path, 3), tmp_path)
    axes = figures[0].axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("responding latent", "intervened latent")
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0", "1", "2"]
    assert texts(figures[0]).count("0.95") == 3
    assert texts(figures[0]).count("0.05") == 6
    assert texts(figures[0]).count("±0.002") == 9
    for text in ("BetaVAE", "dsprites (official file)", "base prior", "1,024 draws", "normalization half"):
        assert text in str(figures[0].get_label())
    assert any("▾\N{NO-BREAK SPACE}informative: 1 of 3" in text for text in texts(figures[0]))
    assert np.asarray(axes.lines[0].get_xdata()).tolist() == [1]
    assert "latent" in figures[0].axes[0].child_axes[0].get_ylabel()


@pytest.mark.parametrize(
    ("normalization", "fill", "top"),
    [("half", 0.0, 1.0), ("none", 0.0, 2**0.5), ("std", 3.0, 3.0), ("std", np.inf, 1.0)],
)
def test_colour_limits(tmp_path: Path, figures: list[Figure], normalization: str, fill: float, top: float) -> None:
    draw(written(tmp_path, 2, normalization, fill), tmp_path)
    assert figures[0].axes[0].images[0].get_clim() == (0, top)


@pytest.mark.parametrize(
    ("normalization", "words"),
    [
        ("half", "(self-response > 0.354)"),  # 0.5 / sqrt(2)
        ("none", "(self-response > 0.5)"),
        ("std", "(M_jj > 0.5 on the scale none)"),  # differs from latent to latent
    ],
)
def test_informative_threshold_on_scale_drawn(
    tmp_path: Path, figures: list[Figure], normalization: str, words: str
) -> None:
    draw(written(tmp_path, 2, normalization), tmp_path)
    assert any(words in text for text in texts(figures[0]))


@pytest.mark.parametrize(("width", "numbers"), [(6.75, 200), (3.25, 100), (1.8, 0)])
def test_numbers_in_cells_follow_width(tmp_path: Path, width: float, numbers: int) -> None:
    result, provenance = drawing.read(written(tmp_path, 10), "response_matrix")
    with on_page(Page(width=width)):
        (figure,) = plot.figures(result, provenance).values()
    cells = [text for text in texts(figure) if text.strip("±").replace(".", "").isdigit()]
    assert len(cells) == numbers  # value and error, value alone, none
    assert ("±0.002" in cells) == (numbers == 200)


def test_caption_has_remark(tmp_path: Path, figures: list[Figure]) -> None:
    draw(written(tmp_path, 2, fill=0.0, remark="no latent is informative"), tmp_path)
    assert "no latent is informative" in str(figures[0].get_label())


def test_matplotlib_settings_are_restored(tmp_path: Path) -> None:
    before = dict(mpl.rcParams)
    draw(written(tmp_path, 2), tmp_path)
    assert dict(mpl.rcParams) == before


def test_file_without_assay_raises(tmp_path: Path) -> None:
    path = tmp_path / "other.h5"
    results.write(path, {"maps": AssayResult({"x": Array(np.ones(2), ("latent",))}, {})}, {})
    with pytest.raises(ValueError, match="has no response_matrix; it has maps"):
        draw(path, tmp_path)
