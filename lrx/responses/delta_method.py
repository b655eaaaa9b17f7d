"""Delta method: the standard error of a function of mean features of draws, from sums of products of the features.

T features, the first of which is 1; n independent draws, or nets of draws. A draw and its partner may share an image
(`lrx.responses.draws`), so the variance of a mean also needs their covariance: the lagged products.
"""

from __future__ import annotations

import torch
from torch import Tensor


def standard_error(products_xTT: Tensor, lagged_xTT: Tensor, gradient_xT: Tensor) -> Tensor:
    """Return the standard error (...) of what has this gradient (..., T) by the mean features.

    products, lagged: sums (..., T, T) over draws; lagged may be empty. Noise of a variance below 0 is cut off.
    """
    count_x = products_xTT[..., 0, 0]
    mean_xT = products_xTT[..., 0, :] / count_x[..., None]
    variance_x = _variance(products_xTT / count_x[..., None, None], mean_xT, gradient_xT)
    if lagged_xTT.numel():
        variance_x = variance_x + 2 * _variance(lagged_xTT / count_x[..., None, None], mean_xT, gradient_xT)
    return (variance_x / (count_x - 1)).sqrt()


def _variance(products_xTT: Tensor, mean_xT: Tensor, gradient_xT: Tensor) -> Tensor:
    right_xTT = products_xTT - products_xTT[..., :, :1] * mean_xT[..., None, :]
    centred_xTT = right_xTT - mean_xT[..., :, None] * right_xTT[..., :1, :]
    return torch.einsum("...s,...st,...t->...", gradient_xT, centred_xTT, gradient_xT).clamp(min=0)
