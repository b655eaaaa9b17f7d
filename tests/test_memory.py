"""Memory stays that of a few batches where a plain implementation would keep every response."""

from __future__ import annotations

import subprocess
import sys

import pytest

# All responses in float32 would take 537 MB (D x D x 2,048 draws), and 377 MB (D x D x 1,440 pairs).
MODEL = """
import resource
import torch
from lrx.assays.conditioned_response.assay import Settings as Conditioned, bootstrap
from lrx.assays.response_matrix.assay import Settings as Matrix
from lrx.assays.run import run_assay
from lrx.core.factors import FactorSpace
from lrx.responses.conditioned import GroupResponses

class Rolled(torch.nn.Module):
    def encode(self, x):
        return 0.5 * x.roll(1, dims=1)

    def decode(self, z):
        return z

class Vectors:
    name = source = fingerprint = "vectors"
    observation_shape = (256,)
    factors = FactorSpace(("one", "two", "three"), (40, 25, 10))

    def __len__(self):
        return self.factors.num_points

    def raw(self, indices):
        return indices[:, None] / 5000 + torch.sin(indices[:, None] * torch.arange(256.0))

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

generator = torch.Generator().manual_seed(0)
"""
RESPONSE = """
run_assay(Matrix(num_samples=64), Rolled(), Vectors(), generator)
before = peak()
result = run_assay(Matrix(num_samples=2_048), Rolled(), Vectors(), generator)
assert result.settings["num_samples"] >= 2_048
assert result.arrays["matrix"].values.shape == (256, 256)
print(peak() - before)
"""
CONDITIONED = """
small = dict(reduction="mean_of_rms", threshold=0.1, num_bootstrap=100)
run_assay(Conditioned(num_groups=2, max_pairs=4, **small), Rolled(), Vectors(), generator)
before = peak()
result = run_assay(Conditioned(num_groups=40, max_pairs=12, **small), Rolled(), Vectors(), generator)
many = torch.rand(1000, 256, dtype=torch.float64)  # groups that are resampled 100 times
bootstrap([GroupResponses(many, many / 100, 2000, 12, 0)], reduction="mean_of_rms", count=100, generator=generator)
print(peak() - before)
"""


@pytest.mark.parametrize("assay", [RESPONSE, CONDITIONED])
def test_memory_of_256_latents(assay: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MODEL + assay], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 200


# conv64 at its own batch size: what passes hold. In the demo, assay=paper takes 0.9 GB, half of it libraries.
PAPER = """
import resource, sys
import matplotlib.figure, numpy, scipy.stats, sklearn.ensemble, torch
from lrx.assays.paper.assay import Settings
from lrx.assays.run import run_assay
from lrx.core.factors import FactorSpace
from lrx.core.malloc import keep_freed_memory
from lrx.data.grid import GridDataset
from lrx.models.networks.conv64 import conv64
from lrx.models.vae import VAE
from scripts.toy_assays import small

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

keep_freed_memory()
torch.manual_seed(0)
model = VAE(
    network=conv64, observation_shape=(1, 64, 64), latent_dim=10, reconstruction="bernoulli", variance=1.0, kl="exact"
).to(memory_format=torch.channels_last)
pixels = numpy.random.default_rng(0).integers(0, 256, (512, 1, 64, 64), dtype=numpy.uint8)
factors = FactorSpace(("row", "column", "shade"), (8, 8, 8))
data = GridDataset(name="noise", source="made", fingerprint="noise", factors=factors, pixels=pixels)
names = ["reconstruction", "response_matrix", "manifold"]
run_assay(small("response_matrix"), model, data, torch.Generator(), progress=Progress())
assert "torch._dynamo" not in sys.modules  # torch's compiler: 70 MB, and a second
before = peak()
paper = Settings(only=names, assays={name: small(name) for name in names})
assert [*run_assay(paper, model, data, torch.Generator().manual_seed(0))] == names
print(peak() - before)
"""
PROGRESS = """
class Progress:
    def __call__(self, done, total):
        pass

    def tell(self, text):  # has what an assay costs tried, and told
        pass
"""


def test_memory_of_paper() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRESS + PAPER], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 300
