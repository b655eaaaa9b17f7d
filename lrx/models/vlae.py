"""Variational ladder autoencoder, VLAE-k: loss = rec + KL (Zhao, Song and Ermon 2017)."""

from __future__ import annotations

from typing import Unpack

from lrx.models.autoencoder import AutoencoderSettings
from lrx.models.layers.ladder_network import with_ladder
from lrx.models.vae import VAE


class VLAE(VAE):
    """VAE whose latents come in `levels` chunks, the first the most abstract: encoded last, decoded first.

    Takes any network and keeps its stages; lrx.models.layers.ladder_network says where chunks leave and enter.
    """

    def __init__(self, *, levels: int, kl: str, **settings: Unpack[AutoencoderSettings]) -> None:
        settings["network"] = with_ladder(settings["network"], levels=levels)
        super().__init__(kl=kl, **settings)
