"""Published autoencoders with the names and forward passes of their authors, by the layout that imports them."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

D = 6


class Disent(nn.Module):
    """The names and the pass of disent's AutoEncoder(EncoderConv64, DecoderConv64)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self._encoder, self._decoder = nn.Module(), nn.Module()
        widths = [channels, 32, 32, 64, 64]
        down = [m for i in range(4) for m in (nn.Conv2d(widths[i], widths[i + 1], 4, stride=2, padding=2), nn.ReLU())]
        self._encoder.model = nn.Sequential(*down, nn.Flatten(), nn.Linear(1600, 256), nn.ReLU(), nn.Linear(256, 2 * D))
        widths = [64, 64, 32, 32, channels]
        up = [m for i in range(4) for m in (nn.ConvTranspose2d(widths[i], widths[i + 1], 4, 2, 1), nn.ReLU())][:-1]
        self._decoder.model = nn.Sequential(
            nn.Linear(D, 256), nn.ReLU(), nn.Linear(256, 1024), nn.ReLU(), nn.Unflatten(1, [64, 4, 4]), *up
        )

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = self._encoder.model(x).split(D, dim=-1)
        return mean, log_variance

    def reconstruct(self, z: Tensor) -> Tensor:
        pixels: Tensor = self._decoder.model(z)  # its default loss has no activation
        return pixels


class Burgess(nn.Module):
    """The names and the pass of disentangling-vae's VAE(EncoderBurgess, DecoderBurgess)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.Module(), nn.Module()
        for name, width in (("conv1", channels), ("conv2", 32), ("conv3", 32), ("conv_64", 32)):
            self.encoder.add_module(name, nn.Conv2d(width, 32, 4, stride=2, padding=1))
        for name, wide, out in (("lin1", 512, 256), ("lin2", 256, 256), ("mu_logvar_gen", 256, 2 * D)):
            self.encoder.add_module(name, nn.Linear(wide, out))
        for name, wide, out in (("lin1", D, 256), ("lin2", 256, 256), ("lin3", 256, 512)):
            self.decoder.add_module(name, nn.Linear(wide, out))
        for name, out in (("convT_64", 32), ("convT1", 32), ("convT2", 32), ("convT3", channels)):
            self.decoder.add_module(name, nn.ConvTranspose2d(32, out, 4, stride=2, padding=1))

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        for name in ("conv1", "conv2", "conv3", "conv_64"):
            x = torch.relu(self.encoder.get_submodule(name)(x))
        x = x.view(len(x), -1)
        x = torch.relu(self.encoder.lin2(torch.relu(self.encoder.lin1(x))))
        mean, log_variance = self.encoder.mu_logvar_gen(x).view(-1, D, 2).unbind(-1)
        return mean, log_variance

    def reconstruct(self, z: Tensor) -> Tensor:
        for name in ("lin1", "lin2", "lin3"):
            z = torch.relu(self.decoder.get_submodule(name)(z))
        z = z.view(len(z), 32, 4, 4)
        for name in ("convT_64", "convT1", "convT2"):
            z = torch.relu(self.decoder.get_submodule(name)(z))
        return torch.sigmoid(self.decoder.convT3(z))


class Pythae(nn.Module):
    """The names and the pass of pythae's VAEs: lists of layers, and two heads."""

    def __init__(self, encoder: list[nn.Module], width: int, decoder: list[nn.Module], start: tuple[int, ...]) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.Module(), nn.Module()
        self.encoder.layers, self.decoder.layers = nn.ModuleList(encoder), nn.ModuleList(decoder)
        self.encoder.embedding, self.encoder.log_var = nn.Linear(width, D), nn.Linear(width, D)
        self._start = start

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if not isinstance(self.encoder.layers[0][0], nn.Conv2d):
            x = x.flatten(1)
        for layer in self.encoder.layers:
            x = layer(x)
        return self.encoder.embedding(x.flatten(1)), self.encoder.log_var(x.flatten(1))

    def reconstruct(self, z: Tensor) -> Tensor:
        for place, layer in enumerate(self.decoder.layers):
            z = layer(z)
            if place == 0:
                z = z.view(len(z), *self._start)
        return z.view(len(z), -1, 64, 64)


def pythae_mlp(channels: int) -> Pythae:
    size = channels * 64 * 64
    return Pythae(
        [nn.Sequential(nn.Linear(size, 512), nn.ReLU())],
        512,
        [nn.Sequential(nn.Linear(D, 512), nn.ReLU()), nn.Sequential(nn.Linear(512, size), nn.Sigmoid())],
        (512,),
    )


def pythae_celeba(channels: int) -> Pythae:
    widths = [channels, 128, 256, 512, 1024]
    down = [
        nn.Sequential(nn.Conv2d(a, b, 4, 2, padding=1), nn.BatchNorm2d(b), nn.ReLU())
        for a, b in itertools.pairwise(widths)
    ]
    up = [
        nn.Sequential(nn.Linear(D, 1024 * 8 * 8)),
        nn.Sequential(nn.ConvTranspose2d(1024, 512, 5, 2, padding=2), nn.BatchNorm2d(512), nn.ReLU()),
        nn.Sequential(nn.ConvTranspose2d(512, 256, 5, 2, padding=1), nn.BatchNorm2d(256), nn.ReLU()),
        nn.Sequential(nn.ConvTranspose2d(256, 128, 5, 2, padding=2, output_padding=1), nn.BatchNorm2d(128), nn.ReLU()),
        nn.Sequential(nn.ConvTranspose2d(128, channels, 5, 1, padding=1), nn.Sigmoid()),
    ]
    return Pythae(down, 1024 * 16, up, (1024, 8, 8))


FOREIGN = {
    "disent": (Disent, ["network=conv64_disent"], "_model."),
    "disentangling_vae": (Burgess, ["network=burgess"], ""),
    "pythae_mlp": (
        pythae_mlp,
        ["network=mlp", "network.hidden=[512]", "network.activation=relu", "network.spread=log_variance"],
        "",
    ),
    "pythae_celeba": (pythae_celeba, ["network=conv_pythae"], ""),
}
