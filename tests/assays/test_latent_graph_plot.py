from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import matplotlib.image
import networkx
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch

from lrx.assays.latent_graph import plot
from lrx.assays.plotting import drawing, style
from lrx.core.types import Array, AssayResult
from lrx.storage import results

AXES = ("intervened", "responding")
RULE = "1 where informative: M_jj > 0.5 on the scale none"


def written(
    folder: Path, latents: int, informative: list[int], edge: dict[tuple[int, int], int], scale: str = "half"
) -> Path:
    """Write a result file with these nodes and kinds of edges; responses and errors differ from place to place."""
    matrix = np.arange(latents**2).reshape(latents, latents) / latents**2 + 0.1
    kinds = np.zeros((latents, latents), dtype=np.uint8)
    for pair, kind in edge.items():
        kinds[pair] = kind
    number = {"num_informative": len(informative), "num_unidirectional": 1, "num_bidirectional": 1}
    result = AssayResult(
        arrays={
            "matrix": Array(matrix, AXES, "latent", f"latent response matrix, normalization {scale}"),
            "matrix_se": Array(matrix / 50, AXES, "latent"),
            "edge": Array(kinds, AXES),
            "stability": Array(1 - matrix / 3, AXES),
            "informative": Array(np.isin(np.arange(latents), informative).astype(np.uint8), AXES[1:], "1", RULE),
        },
        coordinates=dict.fromkeys(AXES, np.arange(latents)),
        scores={
            **{key: float(value) for key, value in number.items()},
            **{f"{key}_se": 0.25 for key in number},
            "mean_stability": 0.875 if edge else float("nan"),
        },
        settings={
            "base": "prior",
            "num_samples": 4096,
            "bidirectional": 0.1,
            "unidirectional": 0.5,
            "remark": None if informative else "no latent is informative: too little training",
        },
    )
    path = folder / "result.h5"
    provenance = {"model": "lrx.models.betavae.BetaVAE", "dataset": "dsprites", "dataset_source": "official file"}
    results.write(path, {"latent_graph": result}, provenance)
    return path


def draw(path: Path, folder: Path) -> list[Path]:
    return drawing.draw("latent_graph", path, folder)


SOME = {(0, 1): 1, (1, 3): 2, (3, 1): 2}


def test_graphml_round_trip(tmp_path: Path) -> None:
    path = written(tmp_path, 4, [0, 1, 3], SOME)
    _, graphml = draw(path, tmp_path)
    assert graphml == tmp_path / "latent_graph.graphml"
    arrays = results.read(path).assays["latent_graph"].arrays
    graph = networkx.read_graphml(graphml)
    assert graph.is_directed()
    assert list(graph.nodes) == ["z0", "z1", "z3"]
    kinds = {1: "unidirectional", 2: "bidirectional"}
    assert {(a, b): data["kind"] for a, b, data in graph.edges(data=True)} == {
        (f"z{j}", f"z{k}"): kinds[kind] for (j, k), kind in SOME.items()
    }
    for name, array in (("response", "matrix"), ("response_se", "matrix_se"), ("stability", "stability")):
        for j, k in SOME:
            assert graph.edges[f"z{j}", f"z{k}"][name] == arrays[array].values[j, k]
        for j in (0, 1, 3):
            assert graph.nodes[f"z{j}"][name] == arrays[array].values[j, j]
    assert graph.nodes["z3"]["label"] == "z3"
    assert graph.graph["normalization"] == "half"


def test_former_results_are_on_scale_none(tmp_path: Path) -> None:
    widths = []
    for scale, factor in (("half", 1.0), ("none", 2**0.5)):
        path = written(tmp_path, 4, [0, 1, 3], SOME, scale)
        result = results.read(path).assays["latent_graph"]
        matrix = result.arrays["matrix"]
        result.arrays["matrix"] = Array(factor * matrix.values, matrix.axes, matrix.unit, matrix.description)
        (figure,) = plot.figures(result, {}).values()
        widths.append([patch.get_linewidth() for patch in figure.axes[0].patches if isinstance(patch, FancyArrowPatch)])
        _, graphml = draw(path, tmp_path)
        assert networkx.read_graphml(graphml).graph["normalization"] == scale
    assert np.allclose(widths[0], widths[1], rtol=1e-12)


@pytest.mark.parametrize(
    ("latents", "informative", "edge"),
    [
        (1, [], {}),
        (1, [0], {}),
        (4, [0, 1, 3], {}),
        (10, [0, 1, 3], SOME),
        (24, list(range(24)), {(j, k): 2 for j in range(24) for k in range(24) if j != k}),
        (256, list(range(5)), SOME),
    ],
)
def test_picture_of_any_size(
    tmp_path: Path, figures: list[Figure], latents: int, informative: list[int], edge: dict[tuple[int, int], int]
) -> None:
    picture, graphml = draw(written(tmp_path, latents, informative, edge), tmp_path)
    pixels = matplotlib.image.imread(picture)[..., :3]
    assert (500 if informative else 200) < pixels.shape[0] < 1300
    assert pixels.shape[1] == 1080  # two columns of a journal
    assert (pixels[[0, -1]] == 1).all()  # nothing is cut off at the edge
    assert (pixels[:, [0, -1]] == 1).all()
    patches = figures[0].axes[0].patches
    assert sum(isinstance(patch, Circle) for patch in patches) == len(informative)
    assert sum(isinstance(patch, FancyArrowPatch) for patch in patches) == min(len(edge), plot.DRAWN)
    graph = networkx.read_graphml(graphml)
    assert (len(graph.nodes), len(graph.edges)) == (len(informative), len(edge))


def test_edge_width_and_colour(tmp_path: Path, figures: list[Figure]) -> None:
    draw(written(tmp_path, 4, [0, 1, 3], SOME), tmp_path)
    arrows = [patch for patch in figures[0].axes[0].patches if isinstance(patch, FancyArrowPatch)]  # weakest first
    widths = [float(arrow.get_linewidth()) for arrow in arrows]
    assert widths == sorted(set(widths))
    colours = [mpl.colors.to_hex(arrow.get_edgecolor()) for arrow in arrows]
    assert colours == ["#000000", style.ACCENT, style.ACCENT]


def test_weights_are_written_and_framed(tmp_path: Path, figures: list[Figure]) -> None:
    draw(written(tmp_path, 4, [0, 1, 3], SOME), tmp_path)
    graph, matrix = figures[0].axes
    weights = {text.get_text() for text in graph.texts} - {"0", "1", "3"}
    assert weights == {f"{(4 * j + k) / 16 + 0.1:.2f}" for j, k in SOME}
    place = {0: 0, 1: 1, 3: 2}  # rows of informative latents
    middles = [patch.get_extents().transformed(matrix.transData.inverted()) for patch in matrix.patches]
    framed = {(round((box.x0 + box.x1) / 2), round((box.y0 + box.y1) / 2)) for box in middles}
    assert framed == {(place[k], place[j]) for j, k in SOME}


def test_strongest_edges_of_many(tmp_path: Path, figures: list[Figure]) -> None:
    edges = {(j, k): 2 for j in range(5) for k in range(5) if j != k}
    draw(written(tmp_path, 5, list(range(5)), edges), tmp_path)
    weights = sorted(float(text.get_text()) for text in figures[0].axes[0].texts if "." in text.get_text())
    every = sorted((5 * j + k) / 25 + 0.1 for j, k in edges)
    assert np.allclose(weights, every[-12:], atol=0.005)
    key = " ".join(text.get_text() for text in figures[0].axes[1].texts)
    assert f"the 12 strongest of 20 edges, from {every[-12]:.2f} on" in key


@pytest.mark.parametrize(("scale", "one_way", "both_ways"), [("half", "0.35", "0.071"), ("none", "0.5", "0.1")])
def test_caption_and_thresholds_on_scale_drawn(
    tmp_path: Path, figures: list[Figure], scale: str, one_way: str, both_ways: str
) -> None:
    draw(written(tmp_path, 6, [0, 1, 3], SOME, scale), tmp_path)
    text = str(figures[0].get_label())
    for words in ("BetaVAE", "dsprites (official file)", "base prior", "4,096 draws", f"scale {scale}"):
        assert words in text
    for words in ("edges: 1 ± 0.25 one way, 1 ± 0.25 both ways", "mean stability 0.88", "not informative: 2, 4, 5"):
        assert words in text
    legend = figures[0].axes[0].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == [
        f"one way: only this response > {one_way}",
        f"both ways: both responses > {both_ways}",
    ]


def test_graph_without_nodes(tmp_path: Path, figures: list[Figure]) -> None:
    picture, _ = draw(written(tmp_path, 6, [], {}), tmp_path)
    assert matplotlib.image.imread(picture).shape[0] < 400
    text = str(figures[0].get_label())
    assert "no latent is informative: too little training" in text
    assert "not informative: 0, 1, 2, 3, 4, 5" in text


def test_files_are_deterministic(tmp_path: Path) -> None:
    path, before = written(tmp_path, 4, [0, 1, 3], SOME), dict(mpl.rcParams)
    first = [written_file.read_bytes() for written_file in draw(path, tmp_path)]
    assert [written_file.read_bytes() for written_file in draw(path, tmp_path)] == first
    assert dict(mpl.rcParams) == before


def test_file_without_assay_raises(tmp_path: Path) -> None:
    path = tmp_path / "other.h5"
    results.write(path, {"maps": AssayResult({"x": Array(np.ones(2), ("latent",))}, {})}, {})
    with pytest.raises(ValueError, match="has no latent_graph; it has maps"):
        draw(path, tmp_path)
