"""Cost of the assay `response_matrix`."""

from __future__ import annotations

import dataclasses

from lrx.assays.response_matrix.assay import IMAGES, Settings, takes_nets
from lrx.assays.response_matrix.precision import ROUNDING_DRAWS, is_mixed
from lrx.core.types import Probabilistic
from lrx.responses.controls import NUM_DRAWS
from lrx.responses.cost import Cost, adaptive_cost, encoded_for_draws, fewer_rows, matrix_cost
from lrx.responses.draws import base_of, net_size
from lrx.responses.encoding import num_drawn
from lrx.responses.measure_mixed import num_corrections
from lrx.responses.measurement import Measurement
from lrx.responses.work_units import ALL_UNITS, Shard


def cost(m: Measurement, settings: Settings) -> Cost:
    """Count (R + 1) num_samples responses, where no matrix of this run is given, and what the further arrays take.

    At most: controls turn within the informative latents, and all are counted.
    """
    total, m = Cost() if m.matrix else estimate_cost(m, settings), m.with_units(settings.units)
    if isinstance(m.share, Shard):
        return total
    alone, base = dataclasses.replace(m, share=ALL_UNITS), base_of(m, settings.base)
    if settings.precision == "bf16":
        once = matrix_cost(alone, num_samples=ROUNDING_DRAWS, base=base)
        total += once + once
    if settings.signed:
        signed = matrix_cost(alone, num_samples=settings.num_samples, base=base)
        total += dataclasses.replace(signed, memory={f"signed {name}": size for name, size in signed.memory.items()})
    if settings.controls:
        draws = min(settings.num_samples, NUM_DRAWS)
        encoded = 0 if base == "prior" else encoded_for_draws(m, draws)
        total += Cost(
            responses=draws * (m.num_latents + settings.controls + 1),
            encoded=encoded if base == "posterior" else 0,
            posteriors=encoded if base == "posterior_sample" else 0,
            at_most=True,
        )
    if isinstance(m.autoencoder, Probabilistic):
        total += Cost(posteriors=min(settings.num_samples, IMAGES, num_drawn(m.dataset)))
    return total


def estimate_cost(m: Measurement, settings: Settings, *, num_groups: int = 0) -> Cost:
    """Count what `estimate` does; with a target at most."""
    base, m = base_of(m, settings.base), m.with_units(settings.units)
    quasi, with_std = takes_nets(m, settings, base), settings.normalization == "std"
    if settings.has_target:
        limits = {"num_pilot": settings.num_pilot, "max_samples": settings.max_samples, "num_groups": num_groups}
        counted = adaptive_cost(m, base=base, quasi=quasi, with_std=with_std, **limits)
        return dataclasses.replace(counted, less=("max_samples",), instead=fewer_rows(m))
    net = net_size(settings.num_samples) if quasi else 1
    num_samples = -(-settings.num_samples // net) * net
    counted = matrix_cost(m, num_samples=num_samples, base=base, net=net, num_groups=num_groups, with_std=with_std)
    if is_mixed(m, settings.precision):
        counted += corrections_cost(m, num_corrections(num_samples), base=base)
    return dataclasses.replace(counted, less=("num_samples",), instead=fewer_rows(m))


def corrections_cost(m: Measurement, corrections: int, *, base: str) -> Cost:
    """Count what draws in both precisions take beside those in bf16."""
    once = matrix_cost(m, num_samples=corrections, base=base)
    images = 0 if base == "prior" or not (once.encoded or once.posteriors) else encoded_for_draws(m, corrections)
    memory = {f"{name} in both precisions": size for name, size in once.memory.items()}
    return Cost(
        responses=2 * once.responses,
        encoded=images if base == "posterior" else 0,
        posteriors=images if base == "posterior_sample" else 0,
        memory=memory,
        at_most=once.at_most,
    )
