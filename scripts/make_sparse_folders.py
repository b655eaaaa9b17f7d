"""Make the file tests/data/foreign/sparse.npz: folders that SAELens and dictionary_learning write, and what they give.

    python3.11 -m venv other && . other/bin/activate
    pip install torch==2.13.0 sae-lens==6.54.12 dictionary-learning==0.1.0 && pip uninstall --yes torchvision
    python scripts/make_sparse_folders.py tests/data/foreign

The packages build models of 8 numbers and 12 features, save them, load them from their folders, encode and decode. The
npz holds the bytes of the files as `<folder>/<file>`, and as `<folder>/x`, `codes` and `decoded` what the loaded model
gives. The language models that both packages import are not used, and where they are not installed an empty module is
enough.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from torch import Tensor

P, D, N, K = 8, 12, 5, 3
Arrays = dict[str, np.ndarray]


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    arrays: Arrays = {}
    for make in (saelens, dictionary_learning):
        arrays |= make()
    np.savez_compressed(folder / "sparse.npz", **arrays)
    print(f"{len(arrays)} arrays, {(folder / 'sparse.npz').stat().st_size:,} bytes")


def random_weights(model: torch.nn.Module) -> None:
    """Draw all weights, so that no bias, threshold or length of a row is 0 or 1."""
    with torch.no_grad():
        for name, weight in model.named_parameters():
            draw = torch.randn_like(weight)
            weight.copy_(draw.abs() * 0.3 if "threshold" in name else draw * (0.7 if weight.ndim > 1 else 0.3))


def kept(name: str, folder: Path, encode: Callable[[Tensor], Tensor], decode: Callable[[Tensor], Tensor]) -> Arrays:
    """Return the bytes of a folder's files, and what its model gives for some vectors."""
    x = torch.randn(N, P) * 1.5 + 0.2
    with torch.no_grad():
        codes = encode(x)
        given = {"x": x, "codes": codes, "decoded": decode(codes)}
    files = {path.name: np.frombuffer(path.read_bytes(), dtype=np.uint8) for path in sorted(folder.iterdir())}
    return {f"{name}/{key}": np.asarray(value) for key, value in {**files, **given}.items()}


def saelens() -> Arrays:
    """Folders of SAELens: each architecture, its settings, and the training models that it saves as jumprelu."""
    import sae_lens as lens

    def plain(kind: str, **settings: object) -> Callable[[Path], None]:
        def save(folder: Path) -> None:
            model, config = (getattr(lens, f"{kind}SAE{suffix}") for suffix in ("", "Config"))
            own = model(config(d_in=P, d_sae=D, **settings))
            random_weights(own)
            own.save_model(folder)

        return save

    def trained(kind: str, **settings: object) -> Callable[[Path], None]:
        def save(folder: Path) -> None:
            model, config = (getattr(lens, f"{kind}TrainingSAE{suffix}") for suffix in ("", "Config"))
            own = model(config(d_in=P, d_sae=D, k=K, **settings))
            random_weights(own)
            own.topk_threshold.fill_(0.4)
            own.save_inference_model(folder)

        return save

    makers = {
        "standard": plain("Standard"),
        "standard_float64": plain("Standard", dtype="float64", apply_b_dec_to_input=False),
        "standard_constant_norm": plain("Standard", normalize_activations="constant_norm_rescale"),
        "standard_layer_norm": plain("Standard", normalize_activations="layer_norm"),
        "jumprelu": plain("JumpReLU", apply_b_dec_to_input=False),
        "gated": plain("Gated"),
        "topk": plain("TopK", k=K),
        "topk_rescaled": plain("TopK", k=K, rescale_acts_by_decoder_norm=True),
        "batchtopk": trained("BatchTopK", rescale_acts_by_decoder_norm=True),
        "matryoshka": trained("MatryoshkaBatchTopK", matryoshka_widths=[4, D]),
    }
    arrays: Arrays = {}
    for name, save in makers.items():
        torch.manual_seed(len(arrays))
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            save(folder)
            model = lens.SAE.load_from_disk(folder)
            arrays |= kept(f"saelens_{name}", folder, model.encode, model.decode)
        print(name, model.cfg.architecture())
    return arrays


def dictionary_learning() -> Arrays:
    """Folders as the training of dictionary_learning writes them, of each class."""
    absent = ("nnsight", "datasets", "zstandard", "wandb")
    with mock.patch.dict(sys.modules, {name: mock.MagicMock() for name in absent}):
        from dictionary_learning.trainers.batch_top_k import BatchTopKTrainer
        from dictionary_learning.trainers.gdm import GatedSAETrainer
        from dictionary_learning.trainers.jumprelu import JumpReluTrainer
        from dictionary_learning.trainers.matryoshka_batch_top_k import MatryoshkaBatchTopKTrainer
        from dictionary_learning.trainers.p_anneal import PAnnealTrainer
        from dictionary_learning.trainers.standard import StandardTrainer
        from dictionary_learning.trainers.top_k import TopKTrainer
        from dictionary_learning.utils import load_dictionary

    sizes = {"activation_dim": P, "dict_size": D, "layer": 0, "lm_name": "none", "steps": 10, "device": "cpu"}
    warm = {"warmup_steps": 1, "sparsity_warmup_steps": 2}
    trainers = {
        "standard": lambda: StandardTrainer(**sizes, **warm),
        "panneal": lambda: PAnnealTrainer(**sizes, **warm, anneal_start=3, n_sparsity_updates=2),
        "gated": lambda: GatedSAETrainer(**sizes, **warm),
        "jumprelu": lambda: JumpReluTrainer(**sizes, **warm),
        "topk": lambda: TopKTrainer(**sizes, warmup_steps=1, k=K),
        "batchtopk": lambda: BatchTopKTrainer(**sizes, warmup_steps=1, k=K),
        "matryoshka": lambda: MatryoshkaBatchTopKTrainer(**sizes, warmup_steps=1, k=K, group_fractions=[0.25, 0.75]),
    }
    arrays: Arrays = {}
    for name, make in trainers.items():
        torch.manual_seed(100 + len(arrays))
        trainer = make()
        model = trainer.ae
        random_weights(model)
        if name in ("batchtopk", "matryoshka"):
            model.threshold.fill_(0.4)
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            torch.save(model.state_dict(), folder / "ae.pt")
            (folder / "config.json").write_text(json.dumps({"trainer": trainer.config, "buffer": {"ctx_len": 128}}))
            loaded, _ = load_dictionary(str(folder), device="cpu")
            arrays |= kept(f"dictionary_learning_{name}", folder, loaded.encode, loaded.decode)
        print(name)
    return arrays


if __name__ == "__main__":
    main(Path(sys.argv[1]))
