"""AdaAE-k: structural autoencoder without hierarchy; every layer reads all latents (Leeb et al., ICLR 2023)."""

from __future__ import annotations

from typing import Unpack

from lrx.models.ae import AE
from lrx.models.autoencoder import AutoencoderSettings
from lrx.models.layers.structural_decoder import with_structural_decoder


class AdaAE(AE):
    """Autoencoder like SAE, but each of `levels` layers reads all latents instead of a chunk. loss = rec."""

    def __init__(self, *, levels: int, **settings: Unpack[AutoencoderSettings]) -> None:
        settings["network"] = with_structural_decoder(settings["network"], levels=levels, shared=True)
        super().__init__(**settings)
