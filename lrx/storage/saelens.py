"""Folders of SAELens 6: `cfg.json` and `sae_weights.safetensors`, of inference models.

Source: sae_lens 6.54.12, saes/*.py. BatchTopK and Matryoshka BatchTopK models are saved as jumprelu.
"""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from lrx.storage.sparse_folder import (
    SparseFolder,
    as_own_weights,
    check_known,
    one_of,
    read_config,
    read_tensors_of,
    settings_of,
    whole_number,
)

CONFIG, WEIGHTS = "cfg.json", "sae_weights.safetensors"
KNOWN = frozenset({"architecture", "d_in", "d_sae", "dtype", "device", "metadata"})
KNOWN |= {"apply_b_dec_to_input", "normalize_activations", "reshape_activations"}
TOPK = frozenset({"k", "rescale_acts_by_decoder_norm"})
_NO_LOOP = "it predicts the output of a layer from its input, so there is no loop encode(decode(z)) to measure"
_TRAINING = "this is a training checkpoint; save_inference_model of SAELens writes the model (as jumprelu)"
ARCHITECTURES: dict[object, str] = {  # and why some are refused
    "standard": "",
    "jumprelu": "",
    "gated": "",
    "topk": "",
    "transcoder": _NO_LOOP,
    "skip_transcoder": _NO_LOOP,
    "jumprelu_transcoder": _NO_LOOP,
    "jumprelu_skip_transcoder": _NO_LOOP,
    "matching_pursuit": "it encodes by a search, step by step, and has no encoder whose response could be known",
    "temporal": "a code depends on the tokens before it, so it is no code of one vector",
    "abstopk": "its features have both signs, and lrx reads those of features that are on or off",
    "batchtopk": _TRAINING,
    "matryoshka_batchtopk": _TRAINING,
}
_NOT_HERE = "must be in the weights; SAELens puts it there"
NORMALISATIONS: dict[object, str] = {
    "none": "",
    "constant_norm_rescale": "",
    "layer_norm": "",
    "expected_average_only_in": f"the factor {_NOT_HERE}, by fold_activation_norm_scaling_factor",
    "covariance_whitening": f"mean and matrix {_NOT_HERE}, by fold_activation_whitening",
}


def read_saelens(folder: Path) -> SparseFolder:
    """Read a folder that SAELens 6 saved. ValueError for a model without a loop, and for what is not understood."""
    path = folder / CONFIG
    config = read_config(path)
    architecture = one_of(path, config, "architecture", ARCHITECTURES, "not given")
    remedy = (
        "a folder of SAELens before 6 is saved anew by SAELens 6 (SAE.load_from_disk, save_model), one of training by "
        "save_inference_model"
    )
    check_known(path, config, KNOWN | TOPK if architecture == "topk" else KNOWN, remedy)
    normalisation = str(one_of(path, config, "normalize_activations", NORMALISATIONS, "none"))
    reshaped = one_of(path, config, "reshape_activations", {"none": "", "hook_z": ""}, "none") == "hook_z"
    subtracted = bool(one_of(path, config, "apply_b_dec_to_input", {True: "", False: ""}, True))
    rescaled = bool(one_of(path, config, "rescale_acts_by_decoder_norm", {True: "", False: ""}, False))
    size, features = whole_number(path, config, "d_in"), whole_number(path, config, "d_sae")
    k = whole_number(path, config, "k") if architecture == "topk" else None
    biases = {"gated": ("b_gate", "b_mag", "r_mag"), "jumprelu": ("b_enc", "threshold")}.get(
        str(architecture), ("b_enc",)
    )
    shapes = {"W_enc": (size, features), "W_dec": (features, size), "b_dec": (size,)}
    tensors, notes = read_tensors_of(folder / WEIGHTS, {**shapes, **dict.fromkeys(biases, (features,))})
    own = _own_weights(str(architecture), tensors, subtracted=subtracted, rescaled=rescaled)
    notes += [f"vectors are those of all heads, {size} numbers"] if reshaped else []
    if normalisation != "none":
        notes.append(f"encode normalises ({normalisation}); decoded vectors are in normalised units")
    return SparseFolder(
        "SAELens",
        settings_of(own, k=k, normalisation=normalisation),
        own,
        (path, folder / WEIGHTS),
        tuple(notes),
    )


def _own_weights(
    architecture: str, tensors: dict[str, Tensor], *, subtracted: bool, rescaled: bool
) -> dict[str, Tensor]:
    encoder, decoder, decoder_bias = tensors["W_enc"], tensors["W_dec"], tensors["b_dec"]
    input_bias = decoder_bias if subtracted else decoder_bias * 0
    bias, scale, gate = tensors.get("b_enc"), None, None
    if architecture == "gated":
        bias, scale = tensors["b_mag"], tensors["r_mag"].exp()
        gate = tensors["b_gate"], tensors["b_gate"] * 0
    assert bias is not None
    if architecture == "jumprelu":
        gate = bias, tensors["threshold"]
    if rescaled:  # codes are activations times the length of the decoder's rows
        norm = decoder.norm(dim=1)
        encoder, bias, decoder = encoder * norm, bias * norm, decoder / norm[:, None]
    return as_own_weights(
        encoder=encoder,
        decoder=decoder,
        input_bias=input_bias,
        decoder_bias=decoder_bias,
        bias=bias,
        scale=scale,
        gate=gate,
    )
