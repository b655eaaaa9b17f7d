"""Contraction: which noise on codes the loop takes away, and which it keeps.

At codes z of images, with noise n = s sigma e: e standard normal, sigma the standard deviation of each latent over
images (of each channel over images and places), s a level:
gain(s) = E[|h(z + n) - h(z)| / |n|], pull(s) = E[|h(z + n) - (z + n)| / |n|], to_code(s) = E[|h(z + n) - z| / |n|].
What the loop keeps of the noise, d = h(z + n) - h(z), is a difference of two codes of decoded images: it is on the
codes. What it takes away, n - d, is off them. Each is then tried alone:
gain_on(s) = E[|h(z + d) - h(z)| / |d|], gain_off(s) = E[|h(z + n - d) - h(z)| / |n - d|].
A projection takes off-code noise away in one pass and keeps the rest: gain_off 0, gain_on 1; h(z) = a z has |a| for
both. N images, S levels, D elements of a code, C channels (latents of vectors), B images of a batch.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lrx.core.devices import to_device
from lrx.core.settings import AssaySettings, setting, stored
from lrx.core.statistics import mean_and_se, root_of_ratio
from lrx.core.types import AssayResult
from lrx.core.validation import SettingError, is_number
from lrx.responses.channels import channel_axis, channel_means, channel_moments, channel_variance
from lrx.responses.encoding import encode_images, image_order
from lrx.responses.estimates import Estimate, as_arrays, as_scores
from lrx.responses.latent_response import respond
from lrx.responses.measurement import Measurement
from lrx.responses.work_units import Values, WorkUnit

MEANINGS = {
    "gain": "|h(z + n) - h(z)| / |n|: noise that the loop keeps",
    "pull": "|h(z + n) - (z + n)| / |n|: how far the loop moves a noisy code",
    "to_code": "|h(z + n) - z| / |n|: distance from the code without noise that is left",
    "gain_on": "gain of the noise that is on the codes, what the first pass kept",
    "gain_off": "gain of the noise that is off the codes, what the first pass took away",
}
RESPONSES = 3  # of each noise: of it all, of its part on the codes, of that off them


@dataclass(frozen=True, kw_only=True)
class Settings(AssaySettings):
    """Settings of the contraction."""

    levels: list[float] = setting([0.03, 0.1, 0.3, 1.0], "sizes of the noise, in standard deviations of codes")
    num_images: int = setting(32, "images whose codes are disturbed, drawn from the seed; at most all", at_least=2)
    draws: int = setting(1, "draws of the noise of each image, the same at every level", at_least=1)
    batch_size: int | None = setting(None, "latents per forward pass; null: what fits the memory", at_least=1)

    def check(self) -> None:
        """Check the levels."""
        levels = self.levels
        if not isinstance(levels, list | tuple) or not levels or not all(is_number(level) for level in levels):
            raise SettingError(f"levels must be a list of positive numbers, not {levels!r}")
        if min(levels) <= 0 or len(set(levels)) < len(levels):
            raise SettingError(f"levels must be positive numbers, each once, not {levels!r}")


def measure(m: Measurement, settings: Settings) -> AssayResult:
    """Add noise of several levels to the codes of images, and see what one pass of the loop leaves of it.

    Arrays, each with its error `_se` over images: gain, pull, to_code, gain_on, gain_off (S,), see the module;
    gain_by_channel (S, C), of vectors gain_by_latent: root mean square of the change that arrives in a channel over
    that of the noise which it was given. gain_off is NaN where the loop takes nothing away beyond rounding, gain_on
    where it keeps nothing.
    Scores: each of them at the smallest and at the largest level, such as gain_smallest.
    ValueError for quantised latents, fewer than 2 images, codes that are the same for all images, or responses that are
    not finite.
    """
    indices_N = image_order(m.dataset, m.generator)[: settings.num_images]
    if len(indices_N) < 2:
        raise ValueError(f"assay=contraction takes its unit from the spread of codes, and {m.dataset.name} has 1 image")
    z_ND = encode_images(m.autoencoder, m.dataset, indices_N, batch_size=m.batch_size)
    variance_NC = channel_variance(*channel_moments(z_ND, m.latent_shape), z_ND.dtype)
    if not variance_NC.any():
        raise ValueError("the codes of all images are the same, so that there is no spread to scale the noise with")
    std_C = torch.from_numpy(variance_NC.mean(0)).sqrt()
    std_D = std_C.repeat_interleave(m.num_latents // len(std_C))
    levels = sorted(map(float, settings.levels))
    seeds = torch.randint(2**62, (len(indices_N),), generator=m.generator).tolist()
    responses = 1 + RESPONSES * settings.draws * len(levels)
    total = responses * len(indices_N)

    def units() -> Iterator[WorkUnit]:
        for start in range(0, len(z_ND), m.batch_size):
            part = slice(start, start + m.batch_size)
            evaluate = functools.partial(_evaluate, m, z_ND[part], std_D, seeds[part], (levels, settings.draws))
            yield WorkUnit((start,), responses * len(z_ND[part]), evaluate)

    work = m.share.values(units(), total=total, progress=lambda done: m.progress(done, total))
    ratios_NSK, kept_NSC, noise_NSC = (torch.cat(parts) for parts in zip(*(values for _, values in work), strict=True))
    axis = channel_axis(m.latent_shape)
    mean_SK, se_SK = mean_and_se(ratios_NSK)
    gain_SC, gain_se_SC = root_of_ratio(kept_NSC, noise_NSC)
    estimates = {name: Estimate(mean_SK[:, k], se_SK[:, k], MEANINGS[name]) for k, name in enumerate(MEANINGS)}
    scores = {
        f"{name}_{word}": (estimates[name].value[level], estimates[name].se[level])
        for name in MEANINGS
        for word, level in (("smallest", 0), ("largest", -1))
    }
    meaning = f"change of each {axis} over the noise that it was given"
    estimates[f"gain_by_{axis}"] = Estimate(gain_SC, gain_se_SC, meaning).where(std_C.numpy() > 0)
    return AssayResult(
        arrays=as_arrays(estimates, ("level", axis)),
        coordinates={"level": np.array(levels)},
        scores=as_scores(scores),
        settings=stored(settings, num_images=len(indices_N), batch_size=m.batch_size),
    )


def _evaluate(m: Measurement, z_BD: Tensor, std_D: Tensor, seeds: list[int], noises: tuple[list[float], int]) -> Values:
    """Return the five ratios of MEANINGS (B, S, 5), mean over draws, and mean squares by channel of what is kept of
    the noise and of the noise, (B, S, C) each."""
    levels, draws = noises
    latents = z_BD.shape[1]
    e_BRD = torch.stack(
        [
            torch.randn(draws, latents, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
            for seed in seeds
        ]
    )
    unit_BRD = to_device((e_BRD * std_D).to(z_BD.dtype), z_BD.device)
    h_BD = respond(m.autoencoder, z_BD, batch_size=m.batch_size)
    ratios, kept, noise = [], [], []
    for level in levels:
        of_draws = [_of_noise(m, z_BD, h_BD, level * unit_BRD[:, draw]) for draw in range(draws)]
        ratios.append(torch.stack([ratio for ratio, _, _ in of_draws]).nanmean(0))
        kept.append(torch.stack([squares for _, squares, _ in of_draws]).mean(0))
        noise.append(torch.stack([squares for _, _, squares in of_draws]).mean(0))
    return torch.stack(ratios, 1), torch.stack(kept, 1), torch.stack(noise, 1)


def _of_noise(m: Measurement, z_BD: Tensor, h_BD: Tensor, n_BD: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the ratios (B, 5) of one noise, and squares by channel (B, C) of what is kept of it and of itself."""
    noisy_BD = z_BD + n_BD
    out_BD = respond(m.autoencoder, noisy_BD, batch_size=m.batch_size)
    on_BD = out_BD - h_BD
    off_BD = n_BD - on_BD
    size_B = _length(n_BD)
    rounding_B = 16 * torch.finfo(z_BD.dtype).eps * (_length(noisy_BD) + _length(out_BD))
    ratios = [_length(on_BD) / size_B, _length(out_BD - noisy_BD) / size_B, _length(out_BD - z_BD) / size_B]
    for part_BD in (on_BD, off_BD):
        change_B = _length(respond(m.autoencoder, z_BD + part_BD, batch_size=m.batch_size) - h_BD)
        size_B = _length(part_BD)
        ratios.append(torch.where(size_B > rounding_B, change_B / size_B, torch.nan))
    kept_BC, noise_BC = (channel_means(values.double().square(), m.latent_shape) for values in (on_BD, n_BD))
    return torch.stack(ratios, 1), kept_BC, noise_BC


def _length(values_BD: Tensor) -> Tensor:
    """Return the Euclidean length (B,) of rows, float64 on the CPU."""
    return values_BD.double().square().sum(1).sqrt().cpu()
