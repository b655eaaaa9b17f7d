"""Every assay that fits the data set, one after the other, on codes that are encoded once.

Leeb et al. 2022 (arXiv 2106.16091), sections 3 to 5, and the metrics that the paper argues with. The assays are handed
in, each with its settings; all of them start from generators of one seed, so that they draw the same images.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import nn

from lrx.core.known_classes import find_classes
from lrx.core.types import AssayResult, Dataset, FactorDataset
from lrx.core.validation import SettingError
from lrx.responses.encoding import CachedEncoder

PARTS = 1000  # of the progress of one assay


def paper(
    autoencoder: nn.Module,
    dataset: Dataset,
    generator: torch.Generator,
    *,
    assays: Mapping[str, Callable[..., AssayResult]],
    need_factors: Sequence[str],
    need_classes: Sequence[str],
    only: str | Sequence[str] | None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, AssayResult]:
    """Run the assays in the order of `assays`; results by name.

    need_factors: the assays that are left out on a data set that is no grid of known factors.
    need_classes: those that labels serve as well, left out where there are neither factors nor labels that vary.
    only: the names to run, None for all; ValueError for a name that there is not, or that the data set does not fit.
    """
    known = find_classes(dataset)
    unfit = set() if isinstance(dataset, FactorDataset) else set(need_factors)
    unfit |= set() if known is not None and known.varying else set(need_classes)
    fitting = [name for name in assays if name not in unfit]
    names = fitting if only is None else [only] if isinstance(only, str) else list(only)
    strange = [name for name in names if name not in assays]
    if strange or not names:
        raise SettingError(f"only must name some of {', '.join(assays)}, not {', '.join(strange) or 'none of them'}")
    refused = [name for name in names if name in unfit]
    if refused:
        needed = "known factors of variation" + ("" if set(refused) & set(need_factors) else " or labels")
        raise SettingError(f"only={','.join(refused)} needs {needed}, and {dataset.name} has none")
    remembering = CachedEncoder(autoencoder, dataset)
    seed = int(torch.randint(2**62, (), generator=generator))

    def part(done: int) -> Callable[[int, int], None] | None:
        if progress is None:
            return None
        return lambda some, total: progress(done * PARTS + PARTS * some // max(total, 1), len(names) * PARTS)

    return {
        name: assays[name](remembering, dataset, torch.Generator().manual_seed(seed), progress=part(done))
        for done, name in enumerate(names)
    }
