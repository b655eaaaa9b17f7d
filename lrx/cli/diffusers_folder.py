"""Folders of autoencoders that diffusers saves: `config.json` and `diffusion_pytorch_model.safetensors`.

They are brought in as a class of another package is: the folder says the keys below `autoencoder`. A pipeline of
diffusers gives its diffusion model the codes (z - shift_factor) scaling_factor, or (z - latents_mean) scaling_factor /
latents_std of each channel, or those that AutoencoderKLFlux2 normalises in patches of 2 x 2 by running statistics.
The mean of a code is taken, and no posterior: its KL term has a weight of 1e-6, so that the prior is another one.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from lrx.cli.config import Config
from lrx.cli.targets import import_target, keywords_of
from lrx.core.text import join_names
from lrx.core.validation import check_choice

PACKAGE, SETTINGS, WEIGHTS = "diffusers", "config.json", "diffusion_pytorch_model.safetensors"
UNITS = ("model", "raw")
# settings of the scale of codes, and what null stands for
UNSCALED: dict[str, Any] = {"shift_factor": 0.0, "scaling_factor": 1.0, "latents_mean": [], "latents_std": []}
# classes, their modules, and the part of what `encode` gives that holds the codes
CLASSES = {
    "AutoencoderKL": ("autoencoder_kl", "latent_dist"),
    "AutoencoderTiny": ("autoencoder_tiny", "latents"),
    "AutoencoderDC": ("autoencoder_dc", "latent"),
    "AutoencoderKLFlux2": ("autoencoder_kl_flux2", "latent_dist"),
}
REFUSED = {
    "VQModel": "its decoder sees the nearest entry of a codebook, so that a step of 1e-4 changes no pixel; tokens "
    "alone can be set, and interventions here set continuous latents",
    "ConsistencyDecoderVAE": "its decoder draws noise, so that a code has no one image",
}


def is_diffusers(folder: Path) -> bool:
    """Return whether a folder holds what diffusers saves, whole or not."""
    if any(folder.glob("diffusion_pytorch_model*")) or (folder / "model_index.json").is_file():
        return True
    path = folder / SETTINGS
    return path.is_file() and b'"_class_name"' in path.read_bytes()


def describe_diffusers(config: Config, folder: Path) -> tuple[Config, Path, list[str]]:
    """Return the config with the class of a folder and its conventions, the file of its weights, and remarks.

    What `autoencoder` says already stays. ValueError for folders, classes and settings that cannot be read, for a
    package that is missing, or that `trust` does not list.
    """
    settings = _read(folder)
    kind = str(settings["_class_name"])
    module, take = CLASSES[kind]
    _check_trust(config, folder, kind)
    target = f"{PACKAGE}.models.autoencoders.{module}.{kind}"
    constructor = import_target("autoencoder._target_", target)
    assert callable(constructor)
    known = keywords_of(constructor)
    own = {key: value for key, value in settings.items() if not key.startswith("_")}
    left_out = [key for key in own if key not in known]
    units, described = _units(config, kind, own)
    conventions = {"take": take, "output": "tanh", "input_mean": 0.5, "input_std": 0.5, **units}
    for key, value in {"_target_": target, **{key: own[key] for key in own if key in known}, **conventions}.items():
        if config.value(f"autoencoder.{key}") is None:
            config = config.replaced(f"autoencoder.{key}", value)
    cut = "cut" if config.value("autoencoder.clamp") else "not cut"
    remarks = [
        f"{kind} of diffusers {settings.get('_diffusers_version', 'of a version that is not known')}",
        described,
        f"images in [-1, 1]; decoded pixels are {cut} to [0, 1] (autoencoder.clamp)",
    ]
    if left_out:
        remarks.append(f"left out of {SETTINGS}, which {kind} does not take: {join_names(left_out)}")
    return config, folder / WEIGHTS, remarks


def _read(folder: Path) -> dict[str, object]:
    """Return the settings of a folder whose files are there and whose class can be measured; else ValueError."""
    valid = f"valid are folders with {SETTINGS} and {WEIGHTS}, as save_pretrained writes them"
    name = f"weights={folder}"
    if (folder / "model_index.json").is_file():
        raise ValueError(
            f"{name} is a whole pipeline of diffusers; its autoencoder is probably weights={folder / 'vae'}"
        )
    if not (folder / SETTINGS).is_file():
        raise ValueError(f"{name} has no {SETTINGS}, which says what its weights are; {valid}")
    try:
        settings = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"weights={folder / SETTINGS} is no JSON: {error}") from error
    kind = str(settings.get("_class_name")) if isinstance(settings, dict) else "nothing"
    if kind in REFUSED:
        raise ValueError(f"{name} is a {kind}: {REFUSED[kind]}; valid are {join_names(list(CLASSES))}")
    if kind not in CLASSES:
        raise ValueError(f"weights={folder / SETTINGS} has _class_name {kind}; valid are {join_names(list(CLASSES))}")
    if not (folder / WEIGHTS).is_file():
        there = sorted(path.name for path in folder.glob("diffusion_pytorch_model*"))
        raise ValueError(
            f"{name} has {join_names(there, most=3) or 'no weights'}, not {WEIGHTS}; {valid}, in one file, no variant"
        )
    wrong = [key for key, value in settings.items() if not _is_plain(value)]
    if wrong:
        raise ValueError(
            f"weights={folder / SETTINGS} has {wrong[0]}={settings[wrong[0]]!r}; numbers, words and lists are valid"
        )
    return cast(dict[str, object], settings)


def _check_trust(config: Config, folder: Path, kind: str) -> None:
    if PACKAGE not in (config.plain("trust") or []):  # type: ignore[operator]
        raise ValueError(
            f"weights={folder} is an {kind} of {PACKAGE}, code outside lrx; to have it run, add trust=[{PACKAGE}]"
        )


def _units(config: Config, kind: str, own: dict[str, object]) -> tuple[dict[str, object], str]:
    """Return the keys of an adapter that give the units of `latent_units`, and what they are in words."""
    chosen = config.value("latent_units") or "model"
    check_choice("latent_units", chosen, UNITS)
    if chosen == "raw":
        return {}, "codes as its encoder gives them"
    if kind == "AutoencoderKLFlux2":
        return {"latent_norm": "bn"}, "codes by its running statistics of 2 x 2 patches"
    stated = {key: own[key] for key in UNSCALED if own.get(key) is not None}
    shift, factor, means, stds = (UNSCALED | stated).values()
    try:
        if not means and not stds:
            words = f"codes (z - {shift:.6g}) {factor:.6g}, as its diffusion model sees them"
            return {"latent_mean": float(shift), "latent_std": 1 / factor}, words
        if shift or len(means) != len(stds):
            raise ValueError("a shift beside means, or means without deviations")
        words = f"codes (z - latents_mean) {factor:.6g} / latents_std, as its diffusion model sees them"
        return {"latent_mean": means, "latent_std": [std / factor for std in stds]}, words
    except (TypeError, ValueError, ZeroDivisionError) as error:
        given = ", ".join(f"{key}={value}" for key, value in stated.items())
        raise ValueError(f"{SETTINGS} has {given}, no scale of codes ({error}); latent_units=raw needs none") from error


def _is_plain(value: object) -> bool:
    """Return whether a value is a number, a word that a config does not interpret, or a list of them."""
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, bool | int | float) or (isinstance(value, str) and "${" not in value)
