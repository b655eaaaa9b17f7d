from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import lrx
from lrx.cli import main
from lrx.core.types import Autoencoder
from lrx.core.validation import SettingError
from tests.conftest import TINY


class Flat(nn.Module):
    """An identity on images: D is the number of pixels."""

    def __init__(self, shape: tuple[int, ...] = (1, 2, 2)) -> None:
        super().__init__()
        self.shape = shape

    def encode(self, x: Tensor) -> Tensor:
        return x.flatten(1)

    def decode(self, z: Tensor) -> Tensor:
        return z.view(-1, *self.shape)


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (64, 2, 2), dtype=np.uint8)


def test_identity_gives_identity_matrix(images: np.ndarray) -> None:
    result = lrx.assay("response_matrix", Flat(), images, num_samples=4096)
    assert result.matrix.axes == ("intervened", "responding")
    assert np.allclose(result.matrix.values, np.eye(4), atol=0.05)
    assert np.abs(np.asarray(result.matrix) - np.eye(4)).max() < 5 * np.asarray(result.se("matrix")).max() + 0.01
    assert result.scores["num_informative"] == 4


def test_every_form_of_images_gives_the_same_result(images: np.ndarray) -> None:
    pixels = torch.from_numpy(images)
    forms = [images, images[..., None], images[:, None], pixels, images.astype(np.float32) / 255, pixels.double() / 255]
    forms += [torch.utils.data.TensorDataset(pixels[:, None]), lrx.as_dataset(images)]
    matrices = [
        lrx.assay("response_matrix", Flat(), form, base="posterior", num_samples=256).matrix.values for form in forms
    ]
    assert all(np.allclose(matrix, matrices[0], atol=1e-6) for matrix in matrices)


def test_seed_decides(images: np.ndarray) -> None:
    first, again, other = (
        lrx.assay("response_matrix", Flat(), images, seed=seed, num_samples=64).matrix.values for seed in (0, 0, 1)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("words", "settings", "message"),
    [
        (("response_matrx",), {}, "there is no assay 'response_matrx'; the assays are .*response_matrix"),
        (("response_matrix",), {"num_sample": 3}, "num_sample.*num_samples"),
        (("response_matrix",), {"num_samples": 1}, "^num_samples must be a whole number of at least 2, not 1$"),
        (
            ("response_matrix",),
            {"base": "none"},
            "^base must be one of auto, prior, posterior, .*, not 'none'$",
        ),
    ],
)
def test_mistakes_are_one_line(
    images: np.ndarray, words: tuple[str], settings: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        lrx.assay(*words, Flat(), images, **settings)
    assert "\n" not in str(caught.value)


def test_images_outside_range_are_refused(images: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"\[-1, 1\].*\(images \+ 1\) / 2|outside|0, 1"):
        lrx.assay("response_matrix", Flat(), images.astype(np.float32) / 127.5 - 1)


class ForwardAlone(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gen = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.gen(x)  # type: ignore[no-any-return]


def test_model_without_encode_is_told_of_adapt(images: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"Linear has no encode and decode; wrap it, as in lrx.adapt"):
        lrx.assay("response_matrix", nn.Linear(4, 2), images)
    with pytest.raises(ValueError, match=r"encode='forward', take=1, decode='gen'\); it has forward, gen"):
        lrx.assay("response_matrix", ForwardAlone(), images)
    with pytest.raises(ValueError, match="images are needed"):
        lrx.assay("response_matrix", Flat())


def test_result_prints_and_plots(images: np.ndarray, tmp_path: Path) -> None:
    result = lrx.assay("response_matrix", Flat(), images, num_samples=64)
    text = repr(result)
    assert text.splitlines()[0] == "Latent response matrix (response_matrix)"
    assert "num_informative" in text
    assert "matrix: intervened 4 x responding 4, latent" in text
    assert max(map(len, text.splitlines())) < 160
    page = result._repr_html_()
    assert "data:image/png;base64," in page
    assert "<td>num_informative</td>" in page
    assert result.plot().axes  # type: ignore[union-attr]
    assert "matrix (intervened 4 x responding 4), latent" in repr(result.matrix)


def test_doubts_are_warnings_and_remarks(images: np.ndarray) -> None:
    class Bright(Flat):
        def decode(self, z: Tensor) -> Tensor:
            return super().decode(2 * z - 1)

    with pytest.warns(UserWarning, match="Bright.decode gives -1 to 1 where pixels are in .*output=tanh would fit"):
        result = lrx.assay("response_matrix", Bright(), images, num_samples=64)
    assert "output=tanh would fit" in str(result.settings["remark"])
    assert result.provenance["num_latents"] == 4
    adapted = lrx.adapt(Bright(), output="tanh")
    assert lrx.assay("response_matrix", adapted, images, num_samples=64).settings["remark"] is None
    with pytest.raises(ValueError, match=r"Halved\.decode was tried on .*not observations"):
        lrx.assay("response_matrix", type("Halved", (Flat,), {"decode": lambda self, z: z[:, :2]})(), images)


def test_result_is_saved_and_read(images: np.ndarray, tmp_path: Path) -> None:
    model = Flat()
    result = lrx.assay("response_matrix", model, images, num_samples=64)
    result.save(tmp_path / "r.h5")
    lrx.assay("latent_graph", model, images, num_samples=64).save(tmp_path / "r.h5")
    read = lrx.read_results(tmp_path / "r.h5")
    assert list(read) == ["response_matrix", "latent_graph"]  # in the order of saving
    assert np.array_equal(read["response_matrix"].matrix.values, result.matrix.values)
    assert read["response_matrix"].scores == result.scores


def test_result_becomes_xarray(images: np.ndarray) -> None:
    result = lrx.assay("response_matrix", Flat(), images, num_samples=64)
    data = result.to_xarray()
    assert float(data.matrix.sel(intervened=0, responding=0)) == result.matrix.values[0, 0]
    assert data.matrix.attrs["display_units"] == "latent"
    assert float(data.num_informative) == result.scores["num_informative"]
    assert data.attrs["base"] == "prior"


def test_paper_gives_results_by_name(images: np.ndarray) -> None:
    results = lrx.assay("paper", Flat(), images, only=["response_matrix", "traversal"])
    assert list(results) == ["response_matrix", "traversal"]
    assert results["traversal"].settings["num_samples"] == results["response_matrix"].settings["num_samples"]


def test_unknown_array_names_those_there_are(images: np.ndarray) -> None:
    result = lrx.assay("response_matrix", Flat(), images, num_samples=64)
    with pytest.raises(AttributeError, match="has no array 'matirx'; it has matrix"):
        result.matirx  # noqa: B018
    assert "matrix" in dir(result)


class Theirs(nn.Module):
    """Someone's VAE: other names, (mean, log_var), logits, images in [-1, 1]."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Flatten()
        self.net = nn.ModuleDict({"decoder": nn.Unflatten(1, (1, 2, 2))})

    def infer(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.encoder(x), torch.zeros(len(x), 4)


def test_adapt_takes_the_mean_and_the_range(images: np.ndarray) -> None:
    theirs = Theirs()
    model = lrx.adapt(
        theirs, encode="infer", decode=theirs.net["decoder"], output="tanh", input_mean=0.5, input_std=0.5
    )
    assert isinstance(model, Autoencoder)
    x = torch.rand(3, 1, 2, 2)
    assert torch.allclose(model.decode(model.encode(x)), x, atol=1e-6)
    result = lrx.assay("response_matrix", model, images, num_samples=1024)
    assert np.allclose(result.matrix.values, np.eye(4), atol=0.1)


def test_adapt_logits_and_distributions() -> None:
    model = lrx.adapt(
        Theirs(),
        encode=lambda x: torch.distributions.Normal(x.flatten(1), 1.0),
        decode=lambda z: z.view(-1, 1, 2, 2),
        output="logits",
    )
    x = torch.rand(2, 1, 2, 2)
    assert torch.equal(model.encode(x), x.flatten(1))
    assert torch.equal(model.decode(torch.zeros(1, 4)), torch.full((1, 1, 2, 2), 0.5))
    last = lrx.adapt(Theirs(), encode=lambda x: {"mu": x.flatten(1)}, decode=lambda z: z, take="mu")
    assert torch.equal(last.encode(x), x.flatten(1))


def test_adapt_names_what_there_is() -> None:
    with pytest.raises(
        SettingError, match="encode='enc': Theirs has no such attribute; its parts are infer, encoder, net"
    ):
        lrx.adapt(Theirs(), encode="enc")
    with pytest.raises(TypeError, match="gives a dict of mu, log_var, not a tensor; name the part to take"):
        lrx.adapt(Theirs(), encode=lambda x: {"mu": x, "log_var": x}, decode=lambda z: z).encode(torch.zeros(1, 4))


def test_load_gives_what_the_command_line_measures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main.main(["train", *TINY, "name=run"]) == 0
    assert main.main(["assay", "ckpt=outputs/train/run", "assay.num_samples=64", "name=a"]) == 0
    run = lrx.load("outputs/train/run")
    assert re.match(r"Run\('outputs/train/run': \w+ on double helix, 1024 observations\)", repr(run))
    result = lrx.assay("response_matrix", run, num_samples=64)
    typed = lrx.read_results("outputs/assay/a")["response_matrix"]
    assert np.array_equal(result.matrix.values, typed.matrix.values)
    assert result.scores == typed.scores
    result.save(tmp_path / "outputs/assay/a/result.h5")  # the same checkpoint and data: it may join the file
    with pytest.raises(FileNotFoundError, match="no such file or folder"):
        lrx.load("outputs/train/other")


def test_names_are_complete() -> None:
    assert set(lrx.__all__) <= set(dir(lrx))
    for name in lrx.__all__:
        assert getattr(lrx, name).__doc__, name
    with pytest.raises(AttributeError, match=r"no attribute 'respnd'; it has .*respond"):
        lrx.respnd  # noqa: B018
    assert "response_matrix" in lrx.list_assays()
    assert lrx.settings("response_matrix")().num_samples == 1024  # type: ignore[attr-defined]


def test_import_is_light() -> None:
    code = (
        "import sys; import lrx; print(*(name for name in ('torch', 'numpy', 'hydra', 'h5py') if name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"
