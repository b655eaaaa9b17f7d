"""Structural autoencoder, SAE-k: loss = rec, with a hierarchy in the decoder only (Leeb et al., ICLR 2023)."""

from __future__ import annotations

from typing import Unpack

from lrx.models.ae import AE
from lrx.models.autoencoder import AutoencoderSettings
from lrx.models.layers.structural_decoder import with_structural_decoder


class SAE(AE):
    """Autoencoder whose decoder reads the latents in `levels` chunks, the first at its start, the last near pixels.

    Takes any network and keeps its decoder stages; lrx.models.layers.structural_decoder says where chunks enter.
    """

    def __init__(self, *, levels: int, **settings: Unpack[AutoencoderSettings]) -> None:
        settings["network"] = with_structural_decoder(settings["network"], levels=levels, shared=False)
        super().__init__(**settings)
