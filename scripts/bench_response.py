"""The response matrix of conv5 (D = 24, N = 128, float32) against the published procedure, in turns on this machine.

python scripts/bench_response.py [--pairs 3] [--samples 128] [--steps] [--threads 2]

Published (Leeb et al. 2022, as their code goes): for each row new base points, h of them, an intervention, h again, in
contiguous tensors. Demanded: lrx at least 4 times as fast, and the same matrix within standard errors.
--steps also times what lrx does one step at a time. Each side is a process of its own, so that the memory setting of
one does not reach the other.
"""

import argparse
import multiprocessing
import statistics
import time
from multiprocessing.connection import Connection

import torch
from torch import Tensor

from lrx.allocator import keep_freed_memory
from lrx.assays.response_matrix import Moments, response_matrix
from lrx.models.networks.conv5 import conv5
from lrx.models.vae import VAE

LATENTS, SHAPE, DEMANDED = 24, (3, 64, 64), 4.0


class OneImage:
    """What an assay from the prior asks of a data set."""

    name, source, fingerprint, observation_shape = "one image", "grey", "0", SHAPE

    def __len__(self) -> int:
        return 1

    def raw(self, indices: Tensor) -> Tensor:
        return torch.full((len(indices), *SHAPE), 128, dtype=torch.uint8)

    images = raw


def conv5_vae() -> VAE:
    """Seeded weights: time does not depend on them."""
    torch.manual_seed(0)
    model = VAE(
        network=conv5, observation_shape=SHAPE, latent_dim=LATENTS, reconstruction="bernoulli", variance=1.0, kl="exact"
    )
    return model.eval()


def published(model: VAE, samples: int, seed: int) -> tuple[Tensor, Tensor]:
    """Matrix and standard errors (D, D) as the authors' code goes, row by row with nothing shared."""
    generator = torch.Generator().manual_seed(seed)
    moments = Moments(LATENTS)
    with torch.no_grad():
        for latent in range(LATENTS):
            z = torch.randn(samples, LATENTS, generator=generator)
            h = model.encode(model.decode(z))
            moved = z.clone()
            moved[:, latent] = torch.randn(samples, generator=generator)
            moments.add_row(latent, h, model.encode(model.decode(moved)), None)
    moments.count = samples
    return moments.matrix("half")


def shared(model: VAE, samples: int, seed: int) -> tuple[Tensor, Tensor]:
    """Matrix and standard errors (D, D) by the assay."""
    result = response_matrix(
        model,
        OneImage(),
        torch.Generator().manual_seed(seed),
        base="prior",
        num_samples=samples,
        normalization="half",
        draws="independent",
        precision="float32",
        target_se=None,
        max_samples=samples,
        batch_size=None,
    )
    return torch.from_numpy(result.arrays["matrix"].values), torch.from_numpy(result.arrays["matrix_se"].values)


def lrx_side(model: VAE, samples: int, seed: int) -> tuple[Tensor, Tensor]:
    return shared(model.to(memory_format=torch.channels_last), samples, seed)


STEPS = {
    "published": (published, False),
    "h(z) shared": (shared, False),
    "and channels_last": (lrx_side, False),
    "lrx: and memory kept": (lrx_side, True),
}


def work(pipe: Connection, name: str, samples: int, threads: int) -> None:
    """Wait for a seed, measure, and send wall seconds, CPU seconds, matrix and errors; None ends."""
    measure, keep = STEPS[name]
    if keep:
        keep_freed_memory()
    torch.set_num_threads(threads)
    model = conv5_vae()
    measure(model, 8, 0)
    while (seed := pipe.recv()) is not None:
        wall, cpu = time.perf_counter(), time.process_time()
        matrix, se = measure(model, samples, seed)
        pipe.send((time.perf_counter() - wall, time.process_time() - cpu, matrix.numpy(), se.numpy()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--samples", type=int, default=128)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--steps", action="store_true")
    arguments = parser.parse_args()
    names = list(STEPS) if arguments.steps else [next(iter(STEPS)), next(reversed(STEPS))]
    context = multiprocessing.get_context("spawn")
    pipes, processes = [], []
    for name in names:
        ours, theirs = context.Pipe()
        process = context.Process(target=work, args=(theirs, name, arguments.samples, arguments.threads))
        process.start()
        pipes.append(ours)
        processes.append(process)
    wall, cpu, deviation = [], [], 0.0
    for pair in range(arguments.pairs):
        matrices = []
        for side, pipe in enumerate(pipes):
            pipe.send(2 * pair + (side > 0))  # other draws than the published side's, so that the errors are tested
            matrices.append(pipe.recv())
        wall.append([measured[0] for measured in matrices])
        cpu.append([measured[1] for measured in matrices])
        (*_, first, first_se), (*_, last, last_se) = matrices[0], matrices[-1]
        deviation = max(deviation, float((abs(first - last) / (first_se**2 + last_se**2) ** 0.5).max()))
    for pipe, process in zip(pipes, processes, strict=True):
        pipe.send(None)
        process.join()

    print(
        f"conv5, D = {LATENTS}, N = {arguments.samples}, float32, {arguments.threads} threads, {arguments.pairs} turns"
    )
    print(f"{'':22}{'wall, s':>9}{'CPU, s':>9}{'times as fast':>15}{'in CPU time':>13}")
    median = statistics.median
    for side, name in enumerate(names):
        ratio, cpu_ratio = (median(turn[0] / turn[side] for turn in times) for times in (wall, cpu))
        seconds, cpu_seconds = (median(turn[side] for turn in times) for times in (wall, cpu))
        print(f"{name:22}{seconds:9.1f}{cpu_seconds:9.1f}{ratio:15.2f}{cpu_ratio:13.2f}")
    print(f"largest difference of two entries: {deviation:.1f} standard errors, of {LATENTS**2 * arguments.pairs}")
    final = median(turn[0] / turn[-1] for turn in wall)
    print(f"{final:.2f} times as fast, {DEMANDED:.0f} demanded: {'met' if final >= DEMANDED else 'MISSED'}")


if __name__ == "__main__":
    main()
