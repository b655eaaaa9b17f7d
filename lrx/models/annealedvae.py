"""Annealed VAE: loss = rec + gamma |KL - C(t)|, C rising linearly from 0 to c_max (Burgess et al. 2018, section 5)."""

from __future__ import annotations

from typing import Unpack

import torch
from torch import Tensor

from lrx.core.validation import check_number, check_whole
from lrx.models.autoencoder import AutoencoderSettings
from lrx.models.vae import VAE


class AnnealedVAE(VAE):
    """VAE whose KL is held at a capacity of C nats per image, which grows in training.

    gamma: weight of the distance from C. C is c_max from step anneal_steps of the optimiser on.
    """

    mean_over_images = False

    def __init__(
        self, *, gamma: float, c_max: float, anneal_steps: int, kl: str, **settings: Unpack[AutoencoderSettings]
    ) -> None:
        super().__init__(kl=kl, **settings)
        check_number("gamma", gamma, 0)
        check_number("c_max", c_max, 0)
        check_whole("anneal_steps", anneal_steps, 1)
        self.gamma, self.c_max, self.anneal_steps = gamma, c_max, anneal_steps

    def capacity(self, step: int) -> float:
        """Return C in nats per image at step `step`, from 0."""
        return self.c_max * min(1.0, step / self.anneal_steps)

    def loss(self, x: Tensor, *, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Return `loss`, `reconstruction`, and `kl` and `capacity` (both nats per image)."""
        terms = self.terms(x, generator)
        capacity = torch.full_like(terms.kl, self.capacity(step))  # made on the device, so that no copy is waited for
        return {
            "loss": terms.reconstruction + self.gamma * (terms.kl - capacity).abs(),
            "reconstruction": terms.reconstruction,
            "kl": terms.kl,
            "capacity": capacity,
        }
