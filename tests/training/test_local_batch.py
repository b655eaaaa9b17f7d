"""Rows of a joined batch on several processes, and the objectives that processes can share."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lrx.core.row_noise import normal_like, row_generator
from lrx.training.distributed import SINGLE_PROCESS, Ranks
from lrx.training.local_batch import local_batch
from tests.cli.test_configs import GROUPS, model_from

CPU = torch.device("cpu")


def test_rows_and_noise_equal_joined_batch() -> None:
    class Model(nn.Module):
        mean_over_images = True
        observation_shape, latent_dim = (1,), 1

        def __getattr__(self, name: str) -> object:
            return len if name in ("encode", "decode", "loss") else super().__getattr__(name)

    assert local_batch(SINGLE_PROCESS, Model(), 7, CPU).rows.tolist() == list(range(7))
    parts = [local_batch(Ranks(rank, 3), Model(), 7, CPU) for rank in range(3)]
    assert [part.rows.tolist() for part in parts] == [[0, 1, 2], [3, 4], [5, 6]]
    assert sum(part.fraction for part in parts) == pytest.approx(1)
    whole = torch.empty(7, 3).normal_(generator=torch.Generator().manual_seed(5))
    assert torch.equal(normal_like(whole, torch.Generator().manual_seed(5)), whole)
    for part in parts:
        part.generator.manual_seed(5)
        assert torch.equal(normal_like(whole[part.rows], part.generator), whole[part.rows])
    with pytest.raises(ValueError, match="3 processes cannot share batches of 2 images"):
        local_batch(Ranks(0, 3), Model(), 2, CPU)


MEAN_LOSS = {"ae", "vae", "betavae", "adagvae", "sae", "adaae", "vlae", "qlae", "fsq"}


@pytest.mark.parametrize("name", GROUPS["model"])
def test_batch_loss_is_mean_over_parts(name: str) -> None:
    model = model_from(f"model={name}", "latent_dim=6")
    assert model.mean_over_images == (name in MEAN_LOSS)
    if name not in MEAN_LOSS:
        with pytest.raises(ValueError, match=f"{type(model).__name__} has a loss that looks across the batch"):
            local_batch(Ranks(0, 2), model, 6, CPU)
        return
    x = torch.rand(6, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        whole = model.loss(x, step=3, generator=torch.Generator().manual_seed(1))
        joined = dict.fromkeys(whole, 0.0)
        for rows in ([0, 3], [1, 2, 4, 5]):  # of pairs: the first, and the other two
            generator = row_generator(CPU, torch.tensor(rows), 6).manual_seed(1)
            for key, value in model.loss(x[rows], step=3, generator=generator).items():
                joined[key] += len(rows) / 6 * value.item()
    assert joined == pytest.approx({key: value.item() for key, value in whole.items()}, rel=1e-5)


def test_batch_norm_is_refused() -> None:
    model = model_from("model=vae", "network=conv_pythae", "latent_dim=4")
    with pytest.raises(ValueError, match="the network of this VAE normalises across the batch"):
        local_batch(Ranks(0, 2), model, 6, CPU)
