"""Folders that diffusers saved: lrx gives its codes, in units of the diffusion model, and the images it decodes."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import lrx as lrx_package
from lrx.core.types import Autoencoder, Probabilistic
from lrx.storage import results
from tests.conftest import Lrx
from tests.support.command_line import assert_refused

FOLDERS = Path(__file__).parents[1] / "data" / "diffusers"
KINDS = ["kl", "kl_of_channels", "tiny", "dc", "flux2"]
DATA = ["dataset=arrays", "dataset.path=images.npy"]
TRUST = "trust=[diffusers]"

pytestmark = pytest.mark.filterwarnings("ignore:.* reconstructs no better than the mean image")  # weights are random


def values_of(kind: str) -> dict[str, torch.Tensor]:
    """Write the images of a folder; return what diffusers gave for them."""
    with np.load(FOLDERS / kind / "values.npz") as file:
        values = {key: torch.from_numpy(file[key]) for key in file}
    np.save("images.npy", values["x"].numpy())
    return values


def imported(lrx: Lrx, kind: str, *words: str) -> tuple[Autoencoder, str]:
    done = lrx("import", f"weights={FOLDERS / kind}", *DATA, TRUST, "name=x", *words)
    assert done.returncode == 0, done.stderr
    return lrx_package.load("outputs/import/x", trust=["diffusers"]).model, done.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_codes_and_images_of_diffusers(kind: str, lrx: Lrx) -> None:
    theirs = values_of(kind)
    model, said = imported(lrx, kind)
    assert not isinstance(model, Probabilistic)  # its prior is not the standard normal
    assert not torch.allclose(theirs["codes"], theirs["raw"], atol=0.02)
    with torch.inference_mode():
        torch.testing.assert_close(model.encode(theirs["x"]), theirs["codes"], rtol=1e-4, atol=1e-5)
        images = (theirs["decoded"] + 1) / 2
        torch.testing.assert_close(model.decode(theirs["codes"]), images, rtol=1e-4, atol=1e-5)
    assert "of diffusers 0.42.1\ncodes" in said
    assert all(len(line) <= 80 for line in said.splitlines() if not line.startswith("lrx: warning"))
    assert "not cut to [0, 1] (autoencoder.clamp)" in said


@pytest.mark.parametrize("kind", ["tiny", "flux2"])
def test_raw_units_and_clamp(kind: str, lrx: Lrx) -> None:
    theirs = values_of(kind)
    model, said = imported(lrx, kind, "latent_units=raw", "autoencoder.clamp=true")
    images = (theirs["decoded"] + 1) / 2
    assert not torch.equal(images, images.clamp(0, 1))
    with torch.inference_mode():
        torch.testing.assert_close(model.encode(theirs["x"]), theirs["raw"], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(model.decode(theirs["raw"]), images.clamp(0, 1), rtol=1e-4, atol=1e-5)
    assert "codes as its encoder gives them" in said
    assert "pixels are cut to [0, 1]" in said


def test_assay_and_report_state_latent_shape(lrx: Lrx) -> None:
    values_of("tiny")
    imported(lrx, "tiny")
    words = ["assay.num_samples=4", "assay.units=channel", "name=a"]
    done = lrx("assay", "ckpt=outputs/import/x", TRUST, "assay=response_matrix", *words)
    assert done.returncode == 0, done.stderr
    stored = results.read(Path("outputs/assay/a/result.h5"))
    result = stored.assays["response_matrix"]
    assert (stored.provenance["latent_shape"], stored.provenance["num_latents"]) == ("4 x 8 x 8", 256)
    assert result.settings["base"] == "posterior"  # values of other images
    assert result.arrays["read_back"].values.shape == (4,)
    assert lrx("report", "outputs/assay/a").returncode == 0
    assert "256 (4 x 8 x 8)" in Path("outputs/assay/a/report.html").read_text(encoding="utf-8")
    assert_refused(lrx("assay", "ckpt=outputs/import/x", "name=b"), "add trust=[diffusers]")


def edited(**changes: object) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        settings = json.loads((folder / "config.json").read_text()) | changes
        (folder / "config.json").write_text(json.dumps(settings))

    return edit


def renamed(to: str) -> Callable[[Path], None]:
    return lambda folder: shutil.move(folder / "diffusion_pytorch_model.safetensors", folder / to) and None


def pipeline(folder: Path) -> None:
    (folder / "model_index.json").write_text("{}")


VALID = "AutoencoderKL, AutoencoderTiny, AutoencoderDC, AutoencoderKLFlux2"


@pytest.mark.parametrize(
    ("change", "words", "told"),
    [
        (lambda folder: (folder / "config.json").unlink(), [TRUST], ["has no config.json", "save_pretrained"]),
        (lambda folder: (folder / "config.json").write_text("{"), [TRUST], ["config.json is no JSON"]),
        (edited(_class_name="UNet2DModel"), [TRUST], ["_class_name UNet2DModel", VALID]),
        (edited(_class_name="VQModel"), [TRUST], ["VQModel", "a step of 1e-4 changes no pixel", "tokens", VALID]),
        (edited(_class_name="ConsistencyDecoderVAE"), [TRUST], ["draws noise", VALID]),
        (edited(act_fn={"_target_": "os.system"}), [TRUST], ["act_fn={'_target_'", "numbers, words and lists"]),
        (edited(act_fn="${oc.env:HOME}"), [TRUST], ["act_fn='${oc.env:HOME}'", "numbers, words and lists"]),
        (edited(act_fn="nothing"), [TRUST], ["autoencoder._target_=diffusers", "nothing"]),
        (edited(scaling_factor=0), [TRUST], ["scaling_factor=0", "latent_units=raw"]),
        (edited(latents_mean=[0.0] * 4), [TRUST], ["latents_mean", "latent_units=raw"]),
        (edited(latents_mean=[0.1] * 3, latents_std=[1.0] * 3, shift_factor=None), [TRUST], ["latent_mean has 3"]),
        (edited(latent_channels=5), [TRUST], ["does not fit the model", "wrong shape", "encoder"]),
        (renamed("diffusion_pytorch_model.fp16.safetensors"), [TRUST], ["model.fp16.safetensors", "no variant"]),
        (renamed("diffusion_pytorch_model.bin"), [TRUST], ["has diffusion_pytorch_model.bin, not"]),
        (renamed("diffusion_pytorch_model-00001-of-00002.safetensors"), [TRUST], ["00001-of-00002", "in one file"]),
        (renamed("ae.safetensors"), [TRUST], ["has no weights, not diffusion_pytorch_model.safetensors"]),
        (pipeline, [TRUST], ["a whole pipeline of diffusers", "weights=theirs/vae"]),
        (edited(), [], ["is an AutoencoderTiny of diffusers", "add trust=[diffusers]"]),
        (edited(), [TRUST, "latent_units=own"], ["latent_units must be one of model, raw"]),
        (edited(), [TRUST, "autoencoder._target_=x.Y"], ["says its class itself"]),
        (edited(), [TRUST, "autoencoder.clamp=2"], ["autoencoder.clamp must be true or false"]),
    ],
)
def test_what_a_folder_lacks(change: Callable[[Path], None], words: list[str], told: list[str], lrx: Lrx) -> None:
    values_of("tiny")
    shutil.copytree(FOLDERS / "tiny", "theirs")
    change(Path("theirs"))
    assert_refused(lrx("import", "weights=theirs", *DATA, "name=x", *words), *told)
    assert not Path("outputs/import/x/checkpoint.pt").exists()


def test_folder_of_no_kind(lrx: Lrx) -> None:
    Path("notes").mkdir()
    Path("notes/readme.txt").touch()
    told = ["weights=notes: it is a folder", "config.json and diffusion_pytorch_model.safetensors", "readme.txt"]
    assert_refused(lrx("import", "weights=notes", *DATA), *told)
    Path("mine.pt").touch()
    assert_refused(lrx("import", "weights=mine.pt", *DATA, "latent_units=raw"), "autoencoder.latent_mean")


class Absent:
    """Finder of modules that says of diffusers what python says where it is not installed."""

    def find_spec(self, name: str, *_: object) -> None:
        if name.partition(".")[0] == "diffusers":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def test_missing_package_is_named(lrx: Lrx, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "diffusers"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Absent(), *sys.meta_path])
    values_of("tiny")
    done = lrx("import", f"weights={FOLDERS / 'tiny'}", *DATA, TRUST)
    assert_refused(done, "diffusers is not installed: pip install 'lrx[diffusers]'")


def test_quantised_decoder_ignores_small_steps() -> None:
    from diffusers import VQModel  # in the test, since it takes seconds

    torch.manual_seed(0)
    model = VQModel.from_config(VQModel.load_config(FOLDERS / "vq")).eval()
    with torch.inference_mode():
        z = model.encode(torch.rand(2, 3, 16, 16)).latents
        changes = [
            (model.decode(z + step, force_not_quantize=plain).sample - model.decode(z, force_not_quantize=plain).sample)
            for step, plain in ((1e-4, False), (1e-4, True), (1, False))
        ]
    quantised, plain, whole = (float(change.abs().max()) for change in changes)
    assert quantised < plain / 10  # rounding
    assert whole > 0.1
