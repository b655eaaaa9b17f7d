"""Folders of sparse autoencoders: codes of the packages that wrote them, and what is refused by name."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import lrx as lrx_package
from lrx.cli.import_folder import READERS
from lrx.models.sparse_autoencoder import SparseAutoencoder
from tests.conftest import Lrx
from tests.support.command_line import assert_refused
from tests.support.sparse_folders import NAMES, unpacked

JUMPRELU, TOPK, STANDARD = "saelens_jumprelu", "dictionary_learning_topk", "dictionary_learning_standard"
DATA = ["dataset=arrays", "dataset.path=x.npy", "name=sae"]


def config_of(folder: Path) -> Path:
    return folder / ("cfg.json" if (folder / "cfg.json").exists() else "config.json")


def changed(folder: Path, **settings: object) -> None:
    """Change settings of a folder's config; those of dictionary_learning below `trainer`."""
    path = config_of(folder)
    config = json.loads(path.read_text())
    config.get("trainer", config).update(settings)
    path.write_text(json.dumps(config))


@pytest.mark.parametrize("name", NAMES)
def test_codes_are_those_of_the_package(name: str, tmp_path: Path) -> None:
    theirs = unpacked(name, tmp_path / "sae")
    (read,) = (read for weights, (_, read) in READERS.items() if (tmp_path / "sae" / weights).exists())
    found = read(tmp_path / "sae")
    model = SparseAutoencoder(observation_shape=theirs["x"].shape[1:], **found.settings)  # type: ignore[arg-type]
    model.load_state_dict(found.tensors)
    x, codes, decoded = (theirs[key].to(model.decoder_DP.dtype) for key in ("x", "codes", "decoded"))
    rounding = {"rtol": 1e-5, "atol": 1e-5} if codes.dtype == torch.float32 else {"rtol": 1e-12, "atol": 1e-12}
    torch.testing.assert_close(model.encode(x), codes, **rounding)
    assert 0 < int((codes > 0).sum()) < codes.numel()
    if "_norm" in name:  # the package gives decoded vectors the scale of those that it encoded last
        again = model.encode(decoded)
        torch.testing.assert_close(again, model.encode(model.decode(codes)), rtol=1e-3, atol=1e-4)
    else:
        torch.testing.assert_close(model.decode(codes), decoded, **rounding)
    expected = torch.float64 if "float64" in name else torch.float32
    assert model.decoder_DP.dtype == expected


def test_every_kind_is_covered() -> None:
    assert len([name for name in NAMES if name.startswith("saelens_")]) == 10
    assert len([name for name in NAMES if name.startswith("dictionary_learning_")]) == 7


@pytest.mark.parametrize("name", [JUMPRELU, TOPK, "saelens_standard_layer_norm", "saelens_standard_float64"])
def test_import_and_assay(name: str, lrx: Lrx) -> None:
    theirs = unpacked(name, Path("sae"))
    np.save("x.npy", np.tile(theirs["x"].float().numpy(), (20, 1)))
    done = lrx("import", "weights=sae", *DATA)
    assert done.returncode == 0, done.stderr
    assert "of SAELens" in done.stderr or "of dictionary_learning" in done.stderr
    done = lrx("assay", "ckpt=outputs/import/sae", "assay=sparse_response", "name=sae")
    assert done.returncode == 0, done.stderr
    run = lrx_package.load("outputs/import/sae")
    torch.testing.assert_close(
        run.model.encode(theirs["x"].to(run.model.decoder_DP)), theirs["codes"], rtol=1e-4, atol=1e-5
    )  # type: ignore[attr-defined]
    result = lrx_package.read_results("outputs/assay/sae")["sparse_response"]
    assert len(result.gain.values) == 12
    assert result.start.values[-1] == len(result.responding.values) == len(result.value.values)
    assert Path("outputs/assay/sae/sparse_response.png").exists()
    done = lrx("assay", "ckpt=outputs/import/sae", "assay=response_matrix")
    assert done.returncode == 2
    assert "give assay=sparse_response" in done.stderr.splitlines()[-1]  # behind remarks on its random weights
    assert lrx("report", "outputs/assay/sae").returncode == 0


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        (JUMPRELU, {"architecture": "transcoder"}, ["architecture=transcoder", "no loop"]),
        (JUMPRELU, {"architecture": "skip_transcoder"}, ["architecture=skip_transcoder", "no loop"]),
        (JUMPRELU, {"architecture": "matching_pursuit"}, ["architecture=matching_pursuit", "search"]),
        (JUMPRELU, {"architecture": "batchtopk"}, ["architecture=batchtopk", "save_inference_model"]),
        (JUMPRELU, {"architecture": "new"}, ["architecture='new'", "standard, jumprelu, gated, topk"]),
        (JUMPRELU, {"hook_point": "a"}, ["does not know: hook_point", "SAELens before 6"]),
        (JUMPRELU, {"k": 3}, ["does not know: k"]),
        (
            JUMPRELU,
            {"normalize_activations": "expected_average_only_in"},
            ["normalize_activations=expect", "weights"],
        ),
        (JUMPRELU, {"normalize_activations": [1]}, ["normalize_activations=[1]", "can read none"]),
        (JUMPRELU, {"apply_b_dec_to_input": "yes"}, ["apply_b_dec_to_input='yes'", "can read True, False"]),
        (JUMPRELU, {"d_sae": 13}, ["sae_weights.safetensors does not fit its config", "(needed: (8, 13))"]),
        (JUMPRELU, {"d_in": "8"}, ["d_in='8'", "whole number"]),
        (JUMPRELU, {"architecture": "gated"}, ["it lacks b_gate, b_mag, r_mag", "unknown b_enc, threshold"]),
        ("saelens_topk", {"k": 13}, ["k must be at most the number of features, 12, not 13"]),
        ("saelens_topk", {"rescale_acts_by_decoder_norm": 2}, ["rescale_acts_by_decoder_norm=2"]),
        (TOPK, {"k": 4}, ["has k=4, and ae.pt has k=3"]),
        (TOPK, {"dict_class": "CrossCoder"}, ["dict_class='CrossCoder'", "AutoEncoderTopK"]),
        (TOPK, {"encode_twice": True}, ["does not know: encode_twice"]),
        (STANDARD, {"dict_size": 5}, ["ae.pt does not fit its config"]),
    ],
)
def test_what_is_not_understood_is_named(name: str, settings: dict[str, object], words: list[str], lrx: Lrx) -> None:
    theirs = unpacked(name, Path("sae"))
    np.save("x.npy", theirs["x"].numpy())
    changed(Path("sae"), **settings)
    assert_refused(lrx("import", "weights=sae", *DATA), *words)
    assert not Path("outputs/import/sae/checkpoint.pt").exists()


def test_damaged_folders(lrx: Lrx) -> None:
    theirs = unpacked(JUMPRELU, Path("sae"))
    np.save("x.npy", theirs["x"].numpy())
    np.save("wide.npy", np.ones((4, 9), dtype=np.float32))
    assert_refused(lrx("import", "weights=sae", "model=vae", *DATA), "model=vae is for a file of weights")
    wide = ["dataset=arrays", "dataset.path=wide.npy", "name=sae"]
    assert_refused(lrx("import", "weights=sae", *wide), "a code of vectors of 8 numbers", "(9,)")
    assert_refused(lrx("import", "weights=sae", "name=sae"), "needs dataset=")
    whole = Path("sae/sae_weights.safetensors").read_bytes()
    Path("sae/sae_weights.safetensors").write_bytes(whole[:-40])
    assert_refused(lrx("import", "weights=sae", *DATA), "sae_weights.safetensors is no state dict that loads safely")
    Path("sae/sae_weights.safetensors").write_bytes(whole)
    text = Path("sae/cfg.json").read_text()
    for broken, words in ((text[:-9], "cfg.json is no JSON"), ("[1]", "holds list where a config is a mapping")):
        Path("sae/cfg.json").write_text(broken)
        assert_refused(lrx("import", "weights=sae", *DATA), words)
    Path("sae/cfg.json").unlink()
    assert_refused(lrx("import", "weights=sae", *DATA), "has sae_weights.safetensors, and no cfg.json")
    Path("sae/sae_weights.safetensors").unlink()
    assert_refused(lrx("import", "weights=sae", *DATA), "cfg.json and sae_weights.safetensors or config.json and ae.pt")
