"""Models of other people: their forward passes, written here as they publish them, against ours after import."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from lrx.core.types import Probabilistic
from lrx.storage.state_dict import load_weights
from lrx.training import checkpoint
from tests.cli.test_configs import ToyGrid, model_from
from tests.conftest import Lrx

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
        return torch.sigmoid(self._decoder.model(z))


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


@pytest.mark.parametrize("layout", FOREIGN)
def test_an_imported_model_computes_what_it_computed_at_home(layout: str, lrx: Lrx, tmp_path: Path) -> None:
    make, words, prefix = FOREIGN[layout]
    torch.manual_seed(0)
    theirs = make(1)
    for part in theirs.modules():  # statistics of a trained model, not those of a new one
        if isinstance(part, nn.BatchNorm2d):
            nn.init.normal_(part.running_mean, std=0.1)
            nn.init.uniform_(part.running_var, 0.5, 2)
    theirs.eval()
    content = {f"{prefix}{key}": value for key, value in theirs.state_dict().items()}
    torch.save({"state_dict": content} if prefix else content, "theirs.pt")
    words = [*words, "model=vae", f"latent_dim={D}"]
    done = lrx("import", "weights=theirs.pt", f"layout={layout}", "dataset=dsprites", "name=theirs", *words)
    assert done.returncode == 0, done.stderr

    ours = model_from(*words, dataset=ToyGrid((1, 64, 64)))
    path = tmp_path / "outputs/import/theirs/checkpoint.pt"
    load_weights(ours, checkpoint.load(path).model, path)
    ours.eval()
    assert isinstance(ours, Probabilistic)
    x = torch.rand(3, 1, 64, 64)
    with torch.inference_mode():
        mean, log_variance = theirs.posterior(x)
        torch.testing.assert_close(ours.posterior(x), (mean, (log_variance / 2).exp()), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(ours.decode(mean), theirs.reconstruct(mean), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("layout", ["pythae_mlp", "pythae_celeba"])
def test_weights_of_another_layout_are_refused(layout: str, lrx: Lrx) -> None:
    torch.save({"encoder.embedding.weight": torch.ones(2, 2), "b": torch.ones(2)}, "other.pt")
    done = lrx("import", "weights=other.pt", f"layout={layout}", "dataset=dsprites", "name=x")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "other.pt: these weights do not have this layout" in done.stderr
    assert "encoder.log_var.weight" in done.stderr


OWN = """
import torch

class Net(torch.nn.Module):
    def __init__(self, observation_shape, latent_dim, gain):
        super().__init__()
        self.linear = torch.nn.Linear(latent_dim, 64 * 64, bias=False)
        self.gain, self.shape = gain, tuple(observation_shape)

    def encode(self, x):
        return self.gain * x.flatten(1) @ self.linear.weight

    def decode(self, z):
        return torch.sigmoid(self.linear(z)).view(-1, *self.shape)

class Flat(Net):
    def decode(self, z):
        return self.linear(z)

class Broken(Net):
    def encode(self, x):
        return x @ self.linear.weight

class Nothing:
    pass

class Mute(torch.nn.Module):
    def __init__(self, **settings):
        super().__init__()
        assert not settings
"""


def test_a_class_of_ones_own_is_assayed_behind_trust(lrx_process: Lrx, tmp_path: Path) -> None:
    (tmp_path / "mynet.py").write_text(OWN)
    torch.save({"linear.weight": torch.randn(64 * 64, 3)}, tmp_path / "mine.pt")
    words = ["import", "weights=mine.pt", "dataset=dsprites", "name=mine", "latent_dim=9", "+autoencoder.gain=0.01"]
    words += ["autoencoder._target_=mynet.Net", "+autoencoder.latent_dim=3"]  # the node's own key wins
    refused = lrx_process(*words)
    assert refused.returncode == 2
    assert "autoencoder._target_=mynet.Net, which no config of lrx names" in refused.stderr
    assert "add trust=[mynet]" in refused.stderr
    done = lrx_process(*words, "trust=[mynet]")
    assert done.returncode == 0, done.stderr

    assay = ["assay", "ckpt=outputs/import/mine", "assay.num_samples=16", "name=mine"]
    refused = lrx_process(*assay)
    assert refused.returncode == 2
    assert "the checkpoint's config has autoencoder._target_=mynet.Net" in refused.stderr
    done = lrx_process(*assay, "trust=[mynet]")
    assert done.returncode == 0, done.stderr
    assert "response matrix" in done.stdout

    for name, told in (("Nothing", "makes Nothing, which is no torch module"), ("Mute", "with encode and decode")):
        other = [word.replace("mynet.Net", f"mynet.{name}") for word in words if "gain" not in word]
        other = [word for word in other if "autoencoder.latent_dim" not in word]
        refused = lrx_process(*other, "trust=[mynet]", "hydra.run.dir=elsewhere")
        assert refused.returncode == 2
        assert told in refused.stderr


def test_a_class_of_ones_own_is_tried_at_import(lrx: Lrx, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ownnet.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    torch.save({"linear.weight": torch.randn(64 * 64, 3)}, tmp_path / "mine.pt")
    words = ["import", "weights=mine.pt", "dataset=dsprites", "name=mine", "latent_dim=3", "+autoencoder.gain=1"]
    told = {
        "ownnet.Flat": ("ownnet.Flat.decode", "(2, 4096)", "not observations (2, 1, 64, 64)"),
        "ownnet.Broken": ("ownnet.Broken.encode", "RuntimeError"),
        "ownnet.Nett": ("autoencoder._target_=ownnet.Nett", "ownnet has no Nett", "Net, Flat, Broken, Nothing, Mute"),
        "ownnett.Net": ("autoencoder._target_=ownnett.Net", "no module ownnett"),
    }
    for name, parts in told.items():
        refused = lrx(*words, f"autoencoder._target_={name}", f"trust=[{name.partition('.')[0]}]")
        assert refused.returncode == 2
        assert refused.stderr.count("\n") == 1, refused.stderr
        for part in parts:
            assert part in refused.stderr
    assert not (tmp_path / "outputs/import/mine/checkpoint.pt").exists()


def test_trust_covers_the_autoencoder_alone(lrx: Lrx) -> None:
    torch.save({"w": torch.ones(1)}, "w.pt")
    for words in (["model._target_=os.getcwd"], ["autoencoder._target_=osmosis.Net"]):
        refused = lrx("import", "weights=w.pt", "trust=[os]", *words)
        assert refused.returncode == 2
        assert "it is not run" in refused.stderr
    refused = lrx("import", "weights=w.pt", "trust=os")
    assert "trust must list packages" in refused.stderr
