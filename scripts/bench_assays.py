"""The conditioned response matrix of conv5 (D = 24, float32, rendered 3D Shapes) against the published procedure.

python scripts/bench_assays.py [--groups 2] [--root data] [--threads 2]

Published (Leeb et al. 2022, as their code goes): for each factor groups of images; for each group and each row 32 base
points of the group, h of them, an intervention, h again, the whole D x D matrix, its diagonal kept; contiguous tensors.
Both sides take the same groups, factor by factor in turns, each with pairs of its own. Time is compared at equal
standard error: to reach it takes time in proportion to its square, here the mean over entries, each relative to its
value. Demanded: lrx at least 10 times as fast, and the same matrix. Each side is a process of its own, so that the
memory setting of one does not reach the other.
"""

import argparse
import multiprocessing
import os
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
from lrx.responses import respond

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
    numbers = torch.randperm(data.factors.num_points // size, generator=generator)[:groups]  # as the assay has them
    for indices in group_indices(data.factors, factor, numbers):
        matrix = torch.empty(LATENTS, LATENTS)
        with torch.no_grad():
            codes = model.encode(data.images(indices).contiguous())
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
    """Wait for a factor, measure, and send wall seconds, CPU seconds and root mean squares (G, D); None ends."""
    measure, keep = SIDES[name]
    if keep:
        keep_freed_memory()
    torch.set_num_threads(threads)
    model, data = conv5_vae(), shapes3d(root=root, source="auto")
    respond(model, torch.zeros(BASE_POINTS, LATENTS), batch_size=BASE_POINTS)
    while (factor := pipe.recv()) is not None:
        wall, cpu = time.perf_counter(), time.process_time()
        rms = measure(model, data, factor, groups, factor)
        pipe.send((time.perf_counter() - wall, time.process_time() - cpu, rms.numpy()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--groups", type=int, default=2)
    parser.add_argument("--root", default=os.environ.get("LRX_DATA", "data"))
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    factors = shapes3d(root=arguments.root, source="auto").factors  # rendered before the sides begin, if it has to be
    context = multiprocessing.get_context("spawn")
    pipes, processes = [], []
    for name in SIDES:
        ours, theirs = context.Pipe()
        process = context.Process(target=work, args=(theirs, name, arguments.groups, arguments.root, arguments.threads))
        process.start()
        pipes.append(ours)
        processes.append(process)
    seconds, rms = [[0.0, 0.0], [0.0, 0.0]], [[], []]
    for factor in range(len(factors)):
        for side, pipe in enumerate(pipes):
            pipe.send(factor)
            wall, cpu, found = pipe.recv()
            seconds[side][0] += wall
            seconds[side][1] += cpu
            rms[side].append(torch.from_numpy(found))
    for pipe, process in zip(pipes, processes, strict=True):
        pipe.send(None)
        process.join()

    rms_FGD = [torch.stack(found) for found in rms]
    matrices = [side.mean(1) for side in rms_FGD]
    errors = [side.std(1) / arguments.groups**0.5 for side in rms_FGD]
    relative = [float((error / matrices[-1]).square().mean()) for error in errors]
    difference = float(matrices[0].sum() / matrices[1].sum() - 1)
    print(
        f"conv5, D = {LATENTS}, {len(factors)} factors, {arguments.groups} groups of each, float32, "
        f"{arguments.threads} threads"
    )
    print(f"{'':11}{'wall, s':>9}{'CPU, s':>9}{'error, %':>10}{'times as fast at equal error':>30}{'in CPU time':>13}")
    for name, times, square in zip(SIDES, seconds, relative, strict=True):
        ratios = [seconds[0][unit] / times[unit] * relative[0] / square for unit in (0, 1)]
        print(f"{name:11}{times[0]:9.1f}{times[1]:9.1f}{100 * square**0.5:10.2f}{ratios[0]:30.2f}{ratios[1]:13.2f}")
    print(f"the sum of all entries: published {100 * difference:+.1f} % above lrx")
    met = "met" if ratios[1] >= DEMANDED else "MISSED"
    print(f"{ratios[1]:.2f} times as fast in CPU time, {DEMANDED:.0f} demanded: {met}")


if __name__ == "__main__":
    main()
