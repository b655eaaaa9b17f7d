"""Every assay that fits the data set, one after the other, on codes encoded once and one response matrix.

Leeb et al. 2022 (arXiv 2106.16091), sections 3 to 5, and the metrics that the paper argues with. Every assay starts
from the generator as it was given, so that all draw the same images, those that each draws alone at the same seed. The
response matrix is measured once, with the settings of `response_matrix`, and given to the assays whose `num_samples` is
null.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lrx.assays import catalog
from lrx.assays.requirements import check_codes
from lrx.core.foreign_code import foreign_errors, packages_of
from lrx.core.known_classes import find_classes
from lrx.core.progress import step_of
from lrx.core.settings import AssaySettings, Checked, Stored, from_keywords, setting, stored
from lrx.core.text import did_you_mean
from lrx.core.types import AssayResult, Autoencoder, Dataset, FactorDataset
from lrx.core.validation import SettingError
from lrx.responses.encoding import CachedEncoder, fitting_batch_size
from lrx.responses.matrix import ResponseMatrix
from lrx.responses.measure_matrix import GROUPS
from lrx.responses.measurement import Measurement

OVERRIDES: dict[str, dict[str, Stored]] = {  # what differs from the defaults of each assay
    "latent_graph": {"num_samples": None},
    "traversal": {"num_samples": None},
    "response_map": {"resolution": 50, "num_samples": None},
    "metrics": {"preset": "fast"},
}


@dataclass(frozen=True, kw_only=True)
class Settings(AssaySettings):
    """Settings of `assay=paper`: which assays, and the settings of each."""

    only: str | list[str] | None = setting(None, "such as [response_matrix,metrics]; null: all that fit the data set")
    assays: dict[str, Checked] = setting({}, "settings of each assay, such as assay.assays.metrics.preset=study")

    def check(self) -> None:
        """Check that no assay has a limit of its own, which would have no effect."""
        parts = self.assays if isinstance(self.assays, dict) else {}
        limited = [name for name, own in parts.items() if getattr(own, "max_seconds", None) is not None]
        if limited:
            raise SettingError(f"assays.{limited[0]}.max_seconds has no effect; max_seconds limits all assays together")


def default_assays() -> dict[str, Checked]:
    """Return the settings of each assay of a paper run, by name, in its order."""
    names = [name for name, description in catalog.descriptions().items() if description.in_paper]
    return {name: from_keywords(catalog.settings_of(name), OVERRIDES.get(name, {})) for name in names}


def measure(m: Measurement, settings: Settings) -> dict[str, AssayResult]:
    """Run the assays in the order of `only`, or of their descriptions; results by name.

    An assay that model or data cannot serve is refused alone: its result is a remark with the reason. Each result is
    stored in `m.store` at once, and one that is there is not measured again.
    SettingError for an unknown name, or an assay that needs factors or labels that the data set lacks; the first
    refusal where all are refused.
    """
    names = names_to_run(settings, m.dataset)
    assert isinstance(m.autoencoder, nn.Module)
    cached = dataclasses.replace(m, autoencoder=_with_memory(m.autoencoder, m.dataset))
    state = m.generator.get_state()
    results: dict[str, AssayResult] = {}
    refusals: dict[str, Exception] = {}
    matrix = None
    for done, name in enumerate(names):
        own = settings.assays[name]
        earlier = m.store.get(name)
        if earlier is not None:
            results[name] = earlier
            continue
        part = dataclasses.replace(
            cached,
            generator=_generator(state),
            batch_size=getattr(own, "batch_size", None) or fitting_batch_size(m.dataset.observation_shape),
            progress=step_of(m.progress, done, len(names)),
        )
        try:
            check_codes(own, part)
            if matrix is None and takes_matrix(own):
                matrix = _matrix(part, own, settings, state)
            with foreign_errors(packages_of(m.autoencoder)):
                result = catalog.measure_of(own)(dataclasses.replace(part, matrix=matrix), own)
            assert isinstance(result, AssayResult)
            m.store.put(name, result)
        except (ValueError, MemoryError) as error:
            refusals[name] = error
            reason = f"assays.{name}.{error}" if isinstance(error, SettingError) else str(error)
            result = AssayResult({}, {}, {}, {**stored(own), "remark": f"not measured: {reason}"})
        results[name] = result
    if len(refusals) == len(results):
        raise next(iter(refusals.values()))
    return results


def _generator(state: Tensor) -> torch.Generator:
    generator = torch.Generator()
    generator.set_state(state)
    return generator


def takes_matrix(own: Checked) -> bool:
    """Return whether an assay with these settings uses the response matrix of the run."""
    return catalog.estimate_of(own) is not None or getattr(own, "num_samples", 0) is None


def owner_of_matrix(settings: Settings) -> Checked | None:
    """Return the settings of `response_matrix`, also where `only` leaves it out; None where they are not there."""
    return next((own for own in settings.assays.values() if catalog.estimate_of(own) is not None), None)


def _matrix(part: Measurement, own: Checked, settings: Settings, state: Tensor) -> ResponseMatrix | None:
    """Measure the response matrix of the run; None where no assay of these settings measures one."""
    owner = owner_of_matrix(settings)
    estimate = None if owner is None else catalog.estimate_of(owner)
    if owner is None or estimate is None:
        return None
    fresh = part if owner is own else dataclasses.replace(part, generator=_generator(state))
    return estimate(fresh, owner, num_groups=GROUPS)


def _with_memory(autoencoder: nn.Module, dataset: Dataset) -> Autoencoder:
    cached = CachedEncoder(autoencoder, dataset)
    assert isinstance(cached, Autoencoder)
    return cached


def names_to_run(settings: Settings, dataset: Dataset) -> list[str]:
    """Return the names of the assays to run: `only`, or all that fit the data set. SettingError as `measure`."""
    only, assays = settings.only, list(settings.assays)
    classes = find_classes(dataset)
    missing = set() if isinstance(dataset, FactorDataset) else {"factors"}
    missing |= set() if classes is not None and classes.varying else {"classes"}
    needs: Mapping[str, str] = {name: entry.needs for name, entry in catalog.descriptions().items()}
    unfit = [name for name in assays if needs.get(name) in missing]
    if only is None:
        names = [name for name in assays if name not in unfit]
    else:
        names = [only] if isinstance(only, str) else [*only]
    unknown = [name for name in names if name not in assays]
    if unknown or not names:
        near = did_you_mean(str(unknown[0]), assays) if unknown else ""
        given = ", ".join(map(str, unknown)) or "none of them"
        raise SettingError(f"only must name some of {', '.join(assays)}, not {given}{near}")
    refused = [name for name in names if name in unfit]
    if refused:
        needed = "known factors of variation" + ("" if "factors" in {needs[name] for name in refused} else " or labels")
        raise SettingError(f"only={','.join(refused)} needs {needed}, and {dataset.name} has none")
    return names
