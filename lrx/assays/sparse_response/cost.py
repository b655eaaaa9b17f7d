"""Cost of the assay `sparse_response`."""

from __future__ import annotations

import functools
import math

import torch

from lrx.assays.sparse_response.assay import BLOCK, Settings, block_of_features
from lrx.core.sparse_code import SparseCode
from lrx.responses.active_features import active_features
from lrx.responses.cost import DOUBLE, Cost, shared
from lrx.responses.encoding import num_drawn
from lrx.responses.measurement import Measurement

FEATURES, VECTORS = 4, 16  # on which the time of a draw is tried


def cost(m: Measurement, settings: Settings) -> Cost:
    """Count the vectors that are encoded and decoded, once, and the draws, which are exact and take no pass.

    At most: a feature that is active on few vectors has fewer draws. Memory: those vectors as they are and decoded, and
    what is kept of a feature.
    """
    vectors = min(settings.num_vectors, num_drawn(m.dataset))
    width = math.prod(m.dataset.observation_shape)
    features = settings.num_features or (len(settings.features) if settings.features else m.num_latents)
    return Cost(
        encoded=vectors,
        decoded=vectors,
        exact=shared(m, features * (settings.num_samples + 1), unit=BLOCK * (settings.num_samples + 1)),
        at_most=True,
        piece=(FEATURES * (settings.num_samples + 1), functools.partial(_draws, m, settings)),
        memory={
            f"{vectors:,} vectors": DOUBLE * vectors * width,
            f"responses of {features:,} features": 3 * DOUBLE * features * settings.most_responding,
        },
        less=("num_features", "num_vectors"),
    )


def _draws(m: Measurement, settings: Settings) -> None:
    """Measure a few features on as many draws as any has, on vectors on which they need not be active."""
    assert isinstance(m.autoencoder, SparseCode)
    generator = torch.Generator().manual_seed(0)
    active = active_features(m.autoencoder, m.dataset, generator, num_vectors=VECTORS)
    features = torch.arange(FEATURES) % m.num_latents
    vectors = torch.arange(settings.num_samples) % len(active.decoded_NP)
    change = torch.ones(settings.num_samples).to(active.decoded_NP)
    block_of_features(
        m.autoencoder,
        settings,
        active,
        features_B=features,
        drawn=[(vectors, change)] * FEATURES,
        own_D=m.autoencoder.own_gains(),
    )
