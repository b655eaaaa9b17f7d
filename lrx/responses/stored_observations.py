"""Values as results store them: pixels in bytes, vectors in float32 with the names of their axes, codes as they are."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from lrx.core.types import Autoencoder, Dataset, Named
from lrx.responses.encoding import eval_mode


def as_numbers(values: Tensor) -> np.ndarray:
    """Convert values to numpy: half precision, which numpy and HDF5 lack in part, to float32."""
    half = values.dtype in (torch.bfloat16, torch.float16)
    return np.asarray((values.float() if half else values).detach().cpu().numpy())


def decoded(autoencoder: Autoencoder, z_ND: Tensor, *, batch_size: int) -> np.ndarray:
    """Decode latents (N, D) to uint8 images (N, C, H, W) or float32 vectors (N, ...), `batch_size` at a time."""
    with eval_mode(autoencoder):
        return np.concatenate([as_stored(autoencoder.decode(z_BD)) for z_BD in torch.split(z_ND, batch_size)])


def as_stored(x: Tensor) -> np.ndarray:
    """Convert images (B, C, H, W) in [0, 1] to uint8, rounded; anything else to float32."""
    if x.ndim != 4:
        return np.asarray(x.float().cpu().numpy())
    return np.asarray((x.clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy())


def observation_axes(observation: np.ndarray) -> tuple[str, ...]:
    """Return the axes of one observation: channel, height, width of an image, `dimension` of a vector."""
    if observation.ndim == 3:
        return ("channel", "height", "width")
    return ("dimension",) if observation.ndim == 1 else tuple(f"dimension_{i}" for i in range(observation.ndim))


def named_columns_of(dataset: Dataset, axes: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Return the labels of the axis `dimension` of vectors whose columns have names; nothing for others."""
    names = dataset.column_names if isinstance(dataset, Named) else ()
    return {"dimension": np.array(names)} if names and axes == ("dimension",) else {}


def observation_unit(observation: np.ndarray) -> str:
    """Return the unit in words: bytes of a pixel, or the data's own."""
    return "1/255 of full intensity" if observation.dtype == np.uint8 else "unit of the data"
