"""Rules on scores of several assays of one run, and on its training: what they mean together, and what is doubtful.

A rule takes the results of the assays that it names and returns a sentence with its numbers, or an empty one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from lrx.assays.summary import CLEAR, difference, estimate, share
from lrx.core import rounding
from lrx.core.statistics import mean_and_se
from lrx.core.text import count_of
from lrx.core.types import AssayResult

FALLING = 0.01  # share of the loss by which a training that has ended lowers it no more in its last tenth
LEAST_ROWS = 60  # of a log, of which a tenth has a mean with an error
AS_MANY = 1.0  # difference of two counts that are called as many
MIXED = 0.5  # scores below are nearer to chance, at 0, than to 1

Rule = tuple[tuple[str, ...], Callable[..., str]]  # the assays that it takes, and the function of their results


def latents_that_vary(matrix: AssayResult) -> str:
    """Compare the number of latents that vary between images with that of those that respond to themselves."""
    active, informative = (int(matrix.scores[name]) for name in ("num_active", "num_informative"))
    text = f"{count_of(active, 'latent')} vary between images and {informative} respond to themselves"
    lost = (
        f": {active - informative} of those that vary are not read back when they are set"
        if active > informative
        else ""
    )
    unused = f": {informative - active} of these are not used by the images" if active < informative else ""
    return f"{text}{lost}{unused}."


def surviving_directions(matrix: AssayResult, manifold: AssayResult) -> str:
    """Compare the directions that survive at codes with the latents that respond to themselves."""
    informative, directions = matrix.scores["num_informative"], manifold.scores["mean_dimension_posterior"]
    step = directions - informative
    how = "about as many as" if abs(step) <= AS_MANY else "fewer than" if step < 0 else "more than"
    counted = estimate(manifold, "mean_dimension_posterior")
    latents = f"the {informative:.0f} latents that respond to themselves"
    return f"{counted} directions survive at codes of images, {how} {latents}."


def separation(conditioned: AssayResult, metrics: AssayResult) -> str:
    """Compare what responses and what codes say about the separation of factors, all 0 to 1 with chance at 0."""
    of_codes = {"mig": "MIG", "dci_disentanglement": "DCI disentanglement"}
    parts = [(conditioned, "cds_corrected", "corrected CDS")]
    parts += [(metrics, name, words) for name, words in of_codes.items() if name in metrics.scores]
    if len(parts) < 2:
        return ""
    values = [result.scores[name] for result, name, _ in parts]
    numbers = ", ".join(f"{words} {estimate(result, name)}" for result, name, words in parts)
    if max(values) < MIXED:
        return f"Responses and codes agree that latents mix factors: {numbers}, all nearer to 0, mixed, than to 1."
    if min(values) >= MIXED:
        return f"Responses and codes agree that latents are apart: {numbers}, all nearer to 1 than to 0, mixed."
    return f"Responses and codes disagree on how far latents mix factors (0: mixed, 1: apart): {numbers}."


def named_latents(conditioned: AssayResult, inference: AssayResult) -> str:
    """Compare what can be read of factors from the latents that they name with what can be from all."""
    labels = max(int(name.split("_")[2]) for name in inference.scores if name.startswith("accuracy_all_"))
    every, named = (f"accuracy_{latents}_{labels}" for latents in ("all", "named"))
    how = "Less" if difference(inference, every, named) > CLEAR else "As much"
    return (
        f"{how} can be read of a factor from the latents that it names {'than' if how == 'Less' else 'as'} from all, "
        f"{share(inference, named)} and {share(inference, every)} right with {labels:,} labels, where one latent has "
        f"{share(conditioned, 'completeness')} of its responses."
    )


def draws_and_codes(manifold: AssayResult, generation: AssayResult) -> str:
    """Say whether draws from the prior are as codes are, by distances of samples and by holes."""
    holes = f"{share(manifold, 'holes_by_magnitude')} of the prior are holes"
    prior, posterior = (generation.scores[f"frechet_{source}"] for source in ("prior", "posterior"))
    if difference(generation, "frechet_prior", "frechet_posterior") <= CLEAR:
        return f"Draws from the prior are like codes: decoded, they are not clearly further from images; {holes}."
    ratio = f"{prior / posterior:.2g} times as far from images" if posterior > 0 else "further from images"
    return f"Draws from the prior are unlike codes: decoded, they are {ratio}; {holes}."


def few_latents(matrix: AssayResult, conditioned: AssayResult) -> str:
    """Doubt the CDS of fewer latents than factors, which it rewards."""
    informative, factors = int(matrix.scores["num_informative"]), len(conditioned.coordinates["factor"])
    if informative >= factors:
        return ""
    return (
        f"CDS rewards few latents, and {informative} respond to themselves where there are {factors} factors: "
        f"{estimate(conditioned, 'cds')} is no sign of separation."
    )


def still_falling(curves: Sequence[Mapping[str, float]]) -> str:
    """Doubt a training whose loss was lower in the last tenth of its log than in the tenth before."""
    losses = np.array([row["loss"] for row in curves if np.isfinite(row.get("loss", np.nan))])
    if len(losses) < LEAST_ROWS:
        return ""
    tenth = len(losses) // 10
    (before, before_se), (last, last_se) = (
        map(float, mean_and_se(part)) for part in (losses[-2 * tenth : -tenth], losses[-tenth:])
    )
    fall, fall_se = before - last, float(np.hypot(before_se, last_se))
    if fall <= CLEAR * fall_se or fall <= FALLING * abs(before):
        return ""
    fell = rounding.estimate(fall, fall_se)
    return f"Training had not converged: in its last tenth the loss fell by {fell}, to {last:.4g}."


TOGETHER: tuple[Rule, ...] = (
    (("response_matrix",), latents_that_vary),
    (("response_matrix", "manifold"), surviving_directions),
    (("conditioned_response", "metrics"), separation),
    (("conditioned_response", "factor_inference"), named_latents),
    (("manifold", "generation"), draws_and_codes),
)
DOUBTS: tuple[Rule, ...] = ((("response_matrix", "conditioned_response"), few_latents),)
