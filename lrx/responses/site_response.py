"""Response around a site, one channel at one place of a code, when it is set to a value of another image.

With d = h(do(z_site := v)) - h(z), draw by draw at a random place away from borders: the mean squares of d_k at each
offset (dy, dx) of the site, of all d_k beyond the radius, of d within each distance, and of the step v - z. With
`patch` above 1, the channel is set at a square of places around the centre at once. Each pass sets one place alone:
attention and normalisation couple places, so that several in a pass would not be their sum.

N draws, P places of each, C channels, (h, w) places of a code, D = C h w, k = 2 radius + 1, S distances. The places of
a draw share its image, and are averaged before errors are taken.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from lrx.core.devices import to_device
from lrx.responses.draws import Block, blocks
from lrx.responses.latent_response import respond
from lrx.responses.measurement import Measurement
from lrx.responses.paired_sums import PairedSums, sums_of
from lrx.responses.places import distances, inner_places, random_places, windows
from lrx.responses.work_units import Values, WorkUnit

HALF = 0.5  # c of the scale `half`


@dataclass(frozen=True, kw_only=True)
class Sites:
    """Sites to set: `places` random ones of each draw, `radius` or more from borders; patch: side of what is set."""

    shape: tuple[int, int, int]
    radius: int
    places: int
    patch: int

    @property
    def sides(self) -> tuple[int, int]:
        """Sides (k, k) of the kernel."""
        return 2 * self.radius + 1, 2 * self.radius + 1

    @property
    def num_distances(self) -> int:
        """Distances of a place from the centre, 0 to S - 1, of centres that the radius allows."""
        return max(self.shape[1:]) - self.radius

    @property
    def num_beyond(self) -> int:
        """Number of places beyond the radius."""
        return math.prod(self.shape[1:]) - math.prod(self.sides)


class SiteResponses:
    """Sums over draws of the responses around sites of each channel, and the estimates that follow.

    dtype: of codes and responses, whose rounding is no variance.
    """

    def __init__(self, sites: Sites, dtype: torch.dtype) -> None:
        channels = sites.shape[0]
        self.sites = sites
        # of the mean square: that of codes, and that of the sums, which are in float64
        self._rounding = max((16 * torch.finfo(dtype).eps) ** 2, 64 * torch.finfo(torch.float64).eps)
        self.entries = PairedSums(channels, channels * (math.prod(sites.sides) + 1), 2)  # d^2 of kernel, then far
        self.own = PairedSums(channels, 3)  # d^2 of what is set, s^2
        self.distance = PairedSums(channels, sites.num_distances, 3)  # d^2 within a distance, d^2
        self.code = PairedSums(1, channels, 6)  # z, h, z^2, h^2, z h

    def add(self, row: int, values: Values) -> None:
        """Add what `_sums` gives of a block of draws and a channel."""
        self.entries.add(row, values[0:2])
        self.own.add(row, values[2:4])
        self.distance.add(row, values[4:6])
        if row == 0:
            self.code.add(0, values[6:8])

    def kernel(self) -> tuple[Tensor, Tensor]:
        """Return the root mean square response (C, C, k, k) by offset on the scale `half`, and its standard errors."""
        channels = self.sites.shape[0]
        kernel, se = (x[:, :-channels].reshape(channels, channels, *self.sites.sides) for x in self.entries.root(HALF))
        return kernel, se

    def far(self) -> tuple[Tensor, Tensor]:
        """Return the root mean square response (C, C) of an element beyond the radius, and its standard errors.

        NaN where the kernel covers the whole code.
        """
        if not self.sites.num_beyond:
            nothing = torch.full((self.sites.shape[0],) * 2, math.nan, dtype=torch.float64)
            return nothing, nothing
        far, se = (x[:, -self.sites.shape[0] :] for x in self.entries.root(HALF / self.sites.num_beyond))
        return far, se

    def step(self) -> Tensor:
        """Return the root mean square of the step v - z (C,) on the scale `half`."""
        return (HALF * self.own.means()[:, 2]).sqrt()

    def read_back(self) -> tuple[Tensor, Tensor]:
        """Return response over step of what is set, (C,), and its standard errors: 1 where it is read as it was set."""
        square, se = self.own.ratio()
        return square.sqrt(), torch.where(square > 0, se / (2 * square.sqrt()), se)

    def within(self) -> tuple[Tensor, Tensor]:
        """Return the share of the squared response within each distance, (C, S), and its standard errors."""
        return self.distance.ratio()

    def reach(self, shares: tuple[float, ...]) -> Tensor:
        """Return the least distance within which each of these shares lies, (C, shares); NaN without any response."""
        within_CS = self.within()[0]
        reach = torch.stack([(within_CS < share).sum(1).double() for share in shares], dim=1)
        return torch.where(within_CS[:, -1:].isnan(), math.nan, reach)

    def correlation(self) -> tuple[Tensor, Tensor]:
        """Return the correlation (C,) of codes and responses over images and places, with standard errors.

        NaN where one of them varies by rounding alone.
        """
        mean_1CT = self.code.means().requires_grad_()
        _, z, h, zz, hh, zh = mean_1CT.unbind(-1)
        varies_C = ((zz - z**2 > self._rounding * zz) & (hh - h**2 > self._rounding * hh))[0]
        correlation = (zh - z * h) / ((zz - z**2) * (hh - h**2)).sqrt()
        (gradient_1CT,) = torch.autograd.grad(correlation.sum(), mean_1CT)
        value_C, se_C = correlation.detach()[0], self.code.error(gradient_1CT)[0]
        return torch.where(varies_C, value_C, math.nan), torch.where(varies_C, se_C, math.nan)


def measure_sites(m: Measurement, sites: Sites, *, base: str, num_samples: int) -> SiteResponses:
    """Measure the responses around sites of every channel over `num_samples` draws: N (1 + C P) responses.

    ValueError for a base that model or data cannot give, or responses that are not finite.
    """
    responses, total = SiteResponses(sites, m.device_and_dtype.dtype), num_samples * (1 + sites.shape[0] * sites.places)
    work = _work(m, sites, base, num_samples)
    for (_, channel), values in m.share.values(work, total=total, progress=lambda done: m.progress(done, total)):
        responses.add(channel, values)
    return responses


def _work(m: Measurement, sites: Sites, base: str, num_samples: int) -> Iterator[WorkUnit]:
    """Yield work units, each a block of draws and a channel."""
    inner, start = inner_places(sites.shape, sites.radius), 0
    for number, block in enumerate(blocks(m.with_units("channel"), base=base)):
        size = min(block.size, num_samples - start)
        centres_NP2 = random_places(inner, block.size, sites.places, m.generator)[:size]
        responses = _BlockOfSites(m, block, sites, centres_NP2)
        for channel in range(sites.shape[0]):
            count = size * (sites.places + (channel == 0))  # h(z) counts once
            yield WorkUnit((number, channel), count, functools.partial(responses.sums, channel))
        start += size
        if start == num_samples:
            return


class _BlockOfSites:
    """Draws of a block, and their responses h(z), each computed once, when it is first asked for."""

    def __init__(self, m: Measurement, block: Block, sites: Sites, centres_NP2: Tensor) -> None:
        self._m, self._block, self._sites, self._centres_NP2 = m, block, sites, centres_NP2
        self._draws = functools.cache(lambda: block.draws().first(len(centres_NP2)))
        self._h = functools.cache(lambda: self._respond(self._draws().z_ND))

    def _respond(self, z_ND: Tensor) -> Tensor:
        return respond(self._m.autoencoder, z_ND, batch_size=self._m.batch_size).cpu().double()

    def sums(self, channel: int) -> Values:
        """Return the sums that `SiteResponses.add` takes."""
        draws, maps = self._draws(), (-1, *self._sites.shape)
        partners_N = None
        if draws.partners_ND is not None:
            partners_N = draws.partners_ND.view(maps)[:, channel, 0, 0]
        features = [self._features(channel, centres_N2) for centres_N2 in self._centres_NP2.unbind(1)]
        means = [torch.stack(parts).mean(0) for parts in zip(*features, strict=True)]
        sums = [part for mean in means for part in sums_of(mean, partners_N)]
        if channel == 0:
            z_NChw, h_NChw = draws.z_ND.cpu().double().view(maps), self._h().view(maps)
            products = (z_NChw, h_NChw, z_NChw.square(), h_NChw.square(), z_NChw * h_NChw)
            code_NCT = torch.stack([x.mean((2, 3)) for x in (torch.ones_like(h_NChw), *products)], dim=-1)
            sums += sums_of(code_NCT, None)
        return tuple(sums)

    def _features(self, channel: int, centres_N2: Tensor) -> tuple[Tensor, ...]:
        """Return features of draws with one place each: entries (N, E, 2), own (N, 3), by distance (N, S, 3)."""
        sites, draws, maps = self._sites, self._draws(), (-1, *self._sites.shape)
        distance_Nhw = distances(centres_N2, sites.shape)
        is_set_Nhw = distance_Nhw <= sites.patch // 2
        set_NChw, values_NChw = draws.z_ND.view(maps).clone(), draws.values_ND.view(maps)
        at = to_device(is_set_Nhw, set_NChw.device)
        set_NChw[:, channel] = torch.where(at, values_NChw[:, channel], set_NChw[:, channel])
        step_Nhw = (set_NChw.double() - draws.z_ND.view(maps).double())[:, channel].cpu().square()
        squares_NChw = (self._respond(set_NChw.flatten(1)) - self._h()).square().view(maps)

        window_NCkk = windows(squares_NChw, centres_N2 - sites.radius, sites.sides)
        far_NC = (squares_NChw * (distance_Nhw > sites.radius)[:, None]).sum((2, 3))
        entries_NE = torch.cat([window_NCkk.flatten(1), far_NC], dim=1)
        own_N, step_N = ((x * is_set_Nhw).sum((1, 2)) / sites.patch**2 for x in (squares_NChw[:, channel], step_Nhw))
        rings_NS = torch.zeros(len(centres_N2), sites.num_distances, dtype=torch.float64)
        rings_NS.scatter_add_(1, distance_Nhw.flatten(1), squares_NChw.sum(1).flatten(1))
        within_NS = rings_NS.cumsum(1)
        total_NS = within_NS[:, -1:].expand_as(within_NS)
        parts = ((entries_NE,), (own_N, step_N), (within_NS, total_NS))
        return tuple(torch.stack([torch.ones_like(part[0]), *part], dim=-1) for part in parts)
