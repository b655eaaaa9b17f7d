"""Training by pythae 0.1.2, its VAE and its trainer, with given networks and images, as a side of a benchmark."""

from __future__ import annotations

import contextlib
import os
import site
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

VERSION = "0.1.2"
CONSTRAINTS = Path(__file__).parents[1] / "constraints.txt"


def installed(folder: Path) -> Path:
    """Install pythae into an environment of its own in a folder, unless it is there; return its site-packages.

    It also sees the packages of this environment, so that all sides run on the same torch.
    """
    place = folder / f"pythae-{VERSION}"
    packages = place / "lib" / "python{}.{}".format(*sys.version_info) / "site-packages"
    if not (packages / "pythae").is_dir():
        venv.create(place, with_pip=True, clear=True)
        shared = "".join(f"import site; site.addsitedir({path!r})\n" for path in site.getsitepackages())
        (packages / "shared.pth").write_text(shared)
        command = [str(place / "bin" / "python"), "-m", "pip", "install", "--quiet", f"pythae=={VERSION}"]
        subprocess.run([*command, "--constraint", str(CONSTRAINTS)], check=True)
    return packages


class Stop(Exception):
    """End of a training."""


def train_pythae(
    packages: Path,
    networks: tuple[nn.Module, nn.Module],
    images: Tensor,
    *,
    batch_size: int,
    lr: float,
    on_step: Callable[[int], bool],
) -> None:
    """Train with pythae until on_step(steps done) is false.

    packages: what `installed` returns. networks: encoder to mean and log variance, decoder to logits. images: float
    (N, C, H, W). Batch and rate aside, the trainer's own settings stand: a DataLoader without workers over images in
    memory, Adam, float32 (its `amp` is of CUDA alone).
    """
    sys.path.insert(0, str(packages))
    with _silence(), tempfile.TemporaryDirectory() as folder, contextlib.suppress(Stop):
        from pythae.data.datasets import BaseDataset
        from pythae.models import VAE, VAEConfig
        from pythae.models.base.base_utils import ModelOutput
        from pythae.models.nn import BaseDecoder, BaseEncoder
        from pythae.trainers import BaseTrainer, BaseTrainerConfig
        from pythae.trainers.training_callbacks import TrainingCallback

        class Encoder(BaseEncoder):
            def __init__(self) -> None:
                super().__init__()
                self.network = networks[0]

            def forward(self, x: Tensor) -> object:
                mean, log_variance = self.network(x).chunk(2, dim=1)
                return ModelOutput(embedding=mean, log_covariance=log_variance)

        class Decoder(BaseDecoder):
            def __init__(self) -> None:
                super().__init__()
                self.network = networks[1]

            def forward(self, z: Tensor) -> object:
                return ModelOutput(reconstruction=torch.sigmoid(self.network(z)))

        class Steps(TrainingCallback):
            done = 0

            def on_train_step_end(self, training_config: object, **kwargs: object) -> None:
                self.done += 1
                if not on_step(self.done):
                    raise Stop

        latent_dim = networks[0](images[:1]).shape[1] // 2
        config = VAEConfig(input_dim=tuple(images.shape[1:]), latent_dim=latent_dim, reconstruction_loss="bce")
        settings = BaseTrainerConfig(
            output_dir=folder, num_epochs=10**6, learning_rate=lr, per_device_train_batch_size=batch_size
        )
        data = BaseDataset(images, torch.zeros(len(images)))
        BaseTrainer(VAE(config, Encoder(), Decoder()), data, training_config=settings, callbacks=[Steps()]).train()


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Send what the trainer prints, such as its bar, to nowhere."""
    with open(os.devnull, "w") as sink, contextlib.redirect_stdout(sink), contextlib.redirect_stderr(sink):
        yield
