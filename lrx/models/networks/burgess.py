"""burgess: the network of Burgess et al. 2018, under the key names of widely shared weights.

Encoder: four convolutions (32 channels, k4, stride 2, pad 1), 256, 256, head; decoder 256, 256, 512 -> 32 x 4 x 4, four
transposed convolutions; ReLU throughout. The head interleaves mean and log variance: (mean_1, log variance_1, mean_2,
...). Source: "Understanding disentangling in beta-VAE", appendix A.1; the names and the interleaving are those of
github.com/YannDubs/disentangling-vae, whose decoder has a sigmoid after `convT3` where this one gives logits.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lrx.models.layers.transposed_conv import TransposedConv
from lrx.models.network import Network, image_channels

START = (32, 4, 4)


class Encoder(nn.Module):
    """Encoder: images (B, C, 64, 64) to the head (B, outputs)."""

    def __init__(self, channels: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 32, 4, 2, 1)
        self.conv2 = nn.Conv2d(32, 32, 4, 2, 1)
        self.conv3 = nn.Conv2d(32, 32, 4, 2, 1)
        self.conv_64 = nn.Conv2d(32, 32, 4, 2, 1)
        self.lin1 = nn.Linear(512, 256)
        self.lin2 = nn.Linear(256, 256)
        self.mu_logvar_gen = nn.Linear(256, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, 64, 64) to (B, outputs)."""
        for convolution in (self.conv1, self.conv2, self.conv3, self.conv_64):
            x = torch.relu(convolution(x))
        x = torch.relu(self.lin1(x.flatten(1)))
        head: Tensor = self.mu_logvar_gen(torch.relu(self.lin2(x)))
        return head


class Decoder(nn.Module):
    """Decoder: latents (B, D) to logits (B, C, 64, 64)."""

    def __init__(self, latent_dim: int, channels: int) -> None:
        super().__init__()
        self.lin1 = nn.Linear(latent_dim, 256)
        self.lin2 = nn.Linear(256, 256)
        self.lin3 = nn.Linear(256, 512)
        self.convT_64 = TransposedConv(32, 32, 4, 2, 1)
        self.convT1 = TransposedConv(32, 32, 4, 2, 1)
        self.convT2 = TransposedConv(32, 32, 4, 2, 1)
        self.convT3 = TransposedConv(32, channels, 4, 2, 1)

    def forward(self, z: Tensor) -> Tensor:
        """Map (B, D) to (B, C, 64, 64)."""
        for layer in (self.lin1, self.lin2, self.lin3):
            z = torch.relu(layer(z))
        x = z.view(-1, *START)
        for convolution in (self.convT_64, self.convT1, self.convT2):
            x = torch.relu(convolution(x))
        logits: Tensor = self.convT3(x)
        return logits


def burgess(*, observation_shape: tuple[int, ...], latent_dim: int, heads: int) -> Network:
    """Build 502,005 parameters at C = 1, D = 10 and two heads. ValueError unless the images are 64 x 64."""
    channels = image_channels(observation_shape, side=64, network="burgess")
    encoder, decoder = Encoder(channels, heads * latent_dim), Decoder(latent_dim, channels)
    down = (encoder.conv1, encoder.conv2, encoder.conv3, encoder.conv_64)
    up = (decoder.convT_64, decoder.convT1, decoder.convT2)
    return Network(
        encoder,
        decoder,
        interleaved_mean_and_log_variance,
        tuple(nn.Sequential(convolution, nn.ReLU()) for convolution in down),
        START,
        (*(nn.Sequential(convolution, nn.ReLU()) for convolution in up), decoder.convT3),
    )


def interleaved_mean_and_log_variance(head: Tensor) -> tuple[Tensor, Tensor]:
    """Split (B, 2D), whose columns alternate, into mean and log standard deviation, each (B, D)."""
    mean, log_variance = head.view(len(head), -1, 2).unbind(-1)
    return mean, log_variance / 2
