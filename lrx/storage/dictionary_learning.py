"""Folders of dictionary_learning: `ae.pt` and `config.json`, as its training writes them.

Source: dictionary_learning 0.1.0: dictionary.py, trainers/*.py, and `load_dictionary` of utils.py, which gives these
codes.
"""

from __future__ import annotations

from pathlib import Path

import torch
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

CONFIG, WEIGHTS = "config.json", "ae.pt"
SIZES = frozenset({"dict_class", "activation_dim", "dict_size", "k", "group_sizes"})
# Settings of all trainers, which say nothing of the model that came out.
TRAINING = """
trainer_class lr l1_penalty warmup_steps resample_steps sparsity_warmup_steps steps decay_start seed device layer
lm_name wandb_name submodule_name sparsity_function sparsity_penalty p_start p_end anneal_start
sparsity_queue_length n_sparsity_updates bandwidth target_l0 auxk_alpha threshold_beta threshold_start_step
top_k_aux group_fractions group_weights
"""
# Tensors of each class: P vectors' numbers, D features, G groups; "" for a scalar.
LINEAR = {"encoder.weight": "DP", "encoder.bias": "D", "decoder.weight": "PD"}
PLAIN = {"W_enc": "PD", "b_enc": "D", "W_dec": "DP", "b_dec": "P"}
BATCH = {"k": "", "threshold": ""}
CLASSES: dict[str, dict[str, str]] = {
    "AutoEncoder": {**LINEAR, "bias": "P"},
    "AutoEncoderNew": {**LINEAR, "decoder.bias": "P"},
    "AutoEncoderTopK": {**LINEAR, "b_dec": "P", **BATCH},
    "BatchTopKSAE": {**LINEAR, "b_dec": "P", **BATCH},
    "MatryoshkaBatchTopKSAE": {**PLAIN, **BATCH, "group_sizes": "G"},
    "JumpReluAutoEncoder": {**PLAIN, "threshold": "D"},
    "GatedAutoEncoder": {
        **{"decoder_bias": "P", "encoder.weight": "DP", "decoder.weight": "PD"},
        **{"r_mag": "D", "gate_bias": "D", "mag_bias": "D"},
    },
}


def read_dictionary_learning(folder: Path) -> SparseFolder:
    """Read a folder that dictionary_learning saved. ValueError for a class or a setting that is not understood."""
    path = folder / CONFIG
    whole = read_config(path)
    check_known(path, whole, frozenset({"trainer", "buffer"}), "is it a folder of dictionary_learning?")
    config = whole.get("trainer")
    if not isinstance(config, dict):
        raise ValueError(f"weights={path} has no trainer, which says the class of the model")
    kind = str(one_of(path, config, "dict_class", dict.fromkeys(CLASSES, ""), "not given"))
    check_known(path, config, SIZES | set(TRAINING.split()), "a setting that is ignored could give other codes")
    shapes = {"P": whole_number(path, config, "activation_dim"), "D": whole_number(path, config, "dict_size")}
    groups = config.get("group_sizes")
    shapes["G"] = len(groups) if isinstance(groups, list) else 1
    wanted = {name: tuple(shapes[axis] for axis in axes) for name, axes in CLASSES[kind].items()}
    tensors, converted = read_tensors_of(folder / WEIGHTS, wanted)
    k = None
    if "k" in tensors:
        k = whole_number(path, config, "k")
        if k != int(tensors["k"]):
            raise ValueError(f"weights={path} has k={k}, and {WEIGHTS} has k={int(tensors['k'])}")
    own, notes = _own_weights(kind, tensors)
    files = path, folder / WEIGHTS
    settings = settings_of(own, k=k if kind == "AutoEncoderTopK" else None)
    return SparseFolder("dictionary_learning", settings, own, files, (*converted, *notes))


def _own_weights(kind: str, tensors: dict[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    is_linear = "encoder.weight" in tensors
    encoder = tensors["encoder.weight"].T if is_linear else tensors["W_enc"]
    decoder = tensors["decoder.weight"].T if is_linear else tensors["W_dec"]
    (decoder_bias,) = (tensors[name] for name in ("bias", "decoder.bias", "b_dec", "decoder_bias") if name in tensors)
    input_bias = decoder_bias * 0 if kind in ("AutoEncoderNew", "JumpReluAutoEncoder") else decoder_bias
    gate: tuple[Tensor, Tensor] | None
    if kind == "GatedAutoEncoder":
        gate = tensors["gate_bias"], tensors["gate_bias"] * 0
        bias, scale = tensors["mag_bias"], tensors["r_mag"].exp()
    else:
        bias, scale = tensors["encoder.bias" if is_linear else "b_enc"], None
        threshold = tensors.get("threshold")
        gate = None if threshold is None or kind == "AutoEncoderTopK" else (bias, threshold.expand_as(bias))
    notes = []
    norm = decoder.norm(dim=1)
    if kind == "AutoEncoder" and not torch.allclose(norm, torch.ones_like(norm)):  # as load_dictionary does
        encoder, bias, decoder = encoder * norm, bias * norm, decoder / norm[:, None]
        notes.append("decoder rows have length 1 and codes are scaled, as load_dictionary of the package does")
    own = as_own_weights(
        encoder=encoder,
        decoder=decoder,
        input_bias=input_bias,
        decoder_bias=decoder_bias,
        bias=bias,
        scale=scale,
        gate=gate,
    )
    return own, notes
