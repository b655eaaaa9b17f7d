"""Data sets that are a full grid of factors: image i shows the classes factors.classes(i)."""

from __future__ import annotations

from lrx.core.factors import FactorSpace
from lrx.data.labelled import StoreDataset
from lrx.data.store.pixels import PixelStore


class GridDataset(StoreDataset):
    """FactorDataset over a store of pixels or vectors, one for each point of `factors`; ValueError otherwise.

    name, source, fingerprint, pixels: as of StoreDataset. The fingerprint is equal for equal images in equal order.
    """

    def __init__(self, *, name: str, source: str, fingerprint: str, factors: FactorSpace, pixels: PixelStore) -> None:
        """Check that there is one image a grid point."""
        if len(pixels) != factors.num_points:
            raise ValueError(
                f"{name} holds {len(pixels)} images, but the grid of its factors "
                f"{dict(zip(factors.names, factors.sizes, strict=True))} has {factors.num_points} points"
            )
        super().__init__(name=name, source=source, fingerprint=fingerprint, pixels=pixels)
        self.factors = factors
