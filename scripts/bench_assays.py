"""The conditioned response matrix of conv5 (D = 24, float32, rendered 3D Shapes) against the published procedure.

python scripts/bench_assays.py [--turns 3] [--groups 6] [--root data] [--threads 2]

Published (Leeb et al. 2022, as their code goes): for each factor groups of images; for each group and each row 32 base
points of the group, h of them, an intervention, h again, the whole D x D matrix, its diagonal kept; contiguous tensors.
A turn of it takes one group of each factor, a turn of lrx as many as --groups. Time is compared at equal standard
error: to reach it takes time in proportion to its square, whose mean over entries, each relative to its value, is
estimated from all groups of all turns. Demanded: lrx at least 10 times as fast, and the same matrix. Each side is a
process of its own, so that the memory setting of one does not reach the other.
"""

import argparse
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

import torch
from torch import Tensor

from lrx.allocator import keep_freed_memory
from lrx.codes import fitting_batch_size
from lrx.conditioned import conditioned_responses, group_indices
from lrx.data.grid import GridDataset
from lrx.data.shapes3d import shapes3d
from lrx.models.networks.conv5 import conv5
from lrx.models.vae import VAE

LATENTS, SHAPE, DEMANDED = 24, (3, 64, 64), 10.0
BASE_POINTS = 32  # of a group and row, of the published procedure
MAX_PAIRS = 12  # of a group and latent, as in configs/assay/conditioned_response.yaml


def conv5_vae() -> VAE:
    """Seeded weights: time does not depend on them, and both sides measure the same."""
    torch.manual_seed(0)
    model = VAE(
        network=conv5, observation_shape=SHAPE, latent_dim=LATENTS, reconstruction="bernoulli", variance=1.0, kl="exact"
    )
    return model.eval()


def published(model: VAE, data: GridDataset, factor: int, groups: int, seed: int) -> Tensor:
    """Root mean squares (G, D) of groups of a factor, row by row with nothing shared."""
    generator = torch.Generator().manual_seed(seed)
    size, rows = data.factors.sizes[factor], []
    for _ in range(groups):
        number = torch.randint(data.factors.num_points // size, (1,), generator=generator)
        matrix = torch.empty(LATENTS, LATENTS)
        with torch.no_grad():
            codes = model.encode(data.images(group_indices(data.factors, factor, number)[0]).contiguous())
            for latent in range(LATENTS):
                a = torch.randint(size, (BASE_POINTS,), generator=generator)
                b = (a + torch.randint(1, size, (BASE_POINTS,), generator=generator)) % size
                z = codes[a]
                h = model.encode(model.decode(z))
                moved = z.clone()
                moved[:, latent] = codes[b, latent]
                matrix[latent] = (model.encode(model.decode(moved)) - h).square().mean(0).sqrt()
        rows.append(matrix.diagonal().double())
    return torch.stack(rows)


def lrx_side(model: VAE, data: GridDataset, factor: int, groups: int, seed: int) -> Tensor:
    """Root mean squares (G, D) of groups of a factor, as the assay takes them."""
    model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    measured = conditioned_responses(
        model,
        data,
        factor,
        num_groups=groups,
        max_pairs=MAX_PAIRS,
        generator=torch.Generator().manual_seed(seed),
        batch_size=fitting_batch_size(SHAPE),
    )
    return measured.rms()[0]


SIDES: dict[str, tuple[Callable[[VAE, GridDataset, int, int, int], Tensor], bool]] = {
    "published": (published, False),
    "lrx": (lrx_side, True),
}


def work(pipe: Connection, name: str, groups: int, root: str, threads: int) -> None:
    """Wait for a seed, measure, and send wall seconds, CPU seconds and root mean squares (F, G, D); None ends."""
    measure, keep = SIDES[name]
    if keep:
        keep_freed_memory()
    torch.set_num_threads(threads)
    model, data = conv5_vae(), shapes3d(root=root, source="auto")
    measure(model, data, 4, 1, 0)
    while (seed := pipe.recv()) is not None:
        wall, cpu = time.perf_counter(), time.process_time()
        found = [measure(model, data, factor, groups, 10 * seed + factor) for factor in range(len(data.factors))]
        pipe.send((time.perf_counter() - wall, time.process_time() - cpu, torch.stack(found).numpy()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--groups", type=int, default=6)
    parser.add_argument("--root", default=os.environ.get("LRX_DATA", "data"))
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    shapes3d(root=arguments.root, source="auto")  # rendered before the sides begin, if it has to be
    context = multiprocessing.get_context("spawn")
    pipes, processes = [], []
    for name in SIDES:
        ours, theirs = context.Pipe()
        groups = 1 if name == "published" else arguments.groups
        process = context.Process(target=work, args=(theirs, name, groups, arguments.root, arguments.threads))
        process.start()
        pipes.append(ours)
        processes.append(process)
    seconds, found = [], [[], []]
    for turn in range(arguments.turns):
        times = []
        for side, pipe in enumerate(pipes):
            pipe.send(2 * turn + side)  # other groups than the published side's, so that the errors are tested
            *measured, rms = pipe.recv()
            times.append(measured)
            found[side].append(torch.from_numpy(rms))
        seconds.append(times)
    for pipe, process in zip(pipes, processes, strict=True):
        pipe.send(None)
        process.join()

    rms = [torch.cat(parts, dim=1) for parts in found]  # (F, G, D)
    matrices = [side.mean(1) for side in rms]
    errors = [side.std(1) / side.shape[1] ** 0.5 for side in rms]
    relative = [float((error / matrices[-1]).square().mean()) for error in errors]
    deviation = (matrices[0] - matrices[1]).abs() / (errors[0].square() + errors[1].square()).sqrt()
    print(
        f"conv5, D = {LATENTS}, {len(matrices[0])} factors, float32, {arguments.threads} threads, "
        f"{arguments.turns} turns; groups of a factor: {rms[0].shape[1]} and {rms[1].shape[1]}"
    )
    print(f"{'':11}{'wall, s':>9}{'CPU, s':>9}{'error, %':>10}{'times as fast':>15}{'in CPU time':>13}")
    ratios = []
    for side, name in enumerate(SIDES):
        wall, cpu = (statistics.median(turn[side][unit] for turn in seconds) for unit in (0, 1))
        ratios = [
            statistics.median(turn[0][unit] / turn[side][unit] for turn in seconds) * relative[0] / relative[side]
            for unit in (0, 1)
        ]
        print(f"{name:11}{wall:9.1f}{cpu:9.1f}{100 * relative[side] ** 0.5:10.1f}{ratios[0]:15.2f}{ratios[1]:13.2f}")
    print(f"difference of two entries: {deviation.mean():.1f} standard errors in the mean of {deviation.numel()}")
    print(f"{ratios[0]:.2f} times as fast, {DEMANDED:.0f} demanded: {'met' if ratios[0] >= DEMANDED else 'MISSED'}")


if __name__ == "__main__":
    main()
