"""Session: a model on its data for a person to try, as functions of views without state.

N views, D latents, U units (`lrx.responses.units`): latents of a vector, or channels of codes (channel, y, x).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lrx.core.foreign_code import foreign_errors, packages_of
from lrx.core.known_classes import find_classes
from lrx.core.validation import SettingError, is_whole
from lrx.explore.scale import IMAGES, order_units, scale_of
from lrx.explore.view import View, parse_view
from lrx.responses.encoding import encode_images, eval_mode, image_order, observations
from lrx.responses.enumeration import NEAR, latent_values
from lrx.responses.finite import why_not_finite
from lrx.responses.measurement import Measurement
from lrx.responses.stored_observations import as_stored

KEPT = 256  # codes of images that are kept


@dataclass(frozen=True)
class StoredMatrix:
    """Response matrix of a result: its rows and columns are the units of the session, its values and errors (U, U).

    source: the file and what it holds, in words.
    """

    matrix_UU: np.ndarray
    se_UU: np.ndarray
    source: str


@dataclass(frozen=True)
class Seen:
    """Observations of views as results store them (N, ...), their values z and the responses h of units (N, U)."""

    observations: np.ndarray
    z_NU: np.ndarray
    h_NU: np.ndarray


class Session:
    """Model on its data, ready to be tried.

    matrix: of a result that the model has; it orders the sliders, which else some draws do.
    order: units, those that answer most to themselves first. order_by: what that is, in words. own_U: by unit.
    """

    def __init__(self, m: Measurement, matrix: StoredMatrix | None = None) -> None:
        self.m, self.matrix = m, matrix
        self.values_DV = latent_values(m)
        self._codes: dict[int, Tensor] = {}
        with foreign_errors(packages_of(m.autoencoder)):
            count = min(IMAGES, max(16, 2 * m.batch_size))
            codes_ND = encode_images(
                m.autoencoder, m.dataset, image_order(m.dataset, m.generator)[:count], batch_size=m.batch_size
            )
            self.scale = scale_of(m, codes_ND)
            if matrix is None:
                own_U, self.order_by = order_units(m, codes_ND)
                self.own_U = own_U.numpy()
            else:
                self.own_U, self.order_by = np.diagonal(matrix.matrix_UU), f"response to itself in {matrix.source}"
        self.order: list[int] = np.argsort(-self.own_U, kind="stable").tolist()
        self.first_image = int(image_order(m.dataset, torch.Generator().manual_seed(0))[0])

    def view(self, given: object) -> View:
        """Return the view that a mapping describes. SettingError for images, units or values that there are not."""
        view = parse_view(given, images=len(self.m.dataset), units=len(self.m.units))
        if self.values_DV is not None:
            for unit, value in view.set.items():
                own_V = self.values_DV[unit].double().cpu()
                if float((own_V - value).abs().min()) > NEAR * max(1e-9, float(own_V.max() - own_V.min())):
                    listed = ", ".join(f"{one:.4g}" for one in own_V.tolist())
                    raise SettingError(f"set of a view: latent {unit} takes the values {listed}, not {value!r}")
        return view

    def checked_units(self, name: str, units: object) -> list[int]:
        """Return a list of units. SettingError for one that there is not."""
        count = len(self.m.units)
        if not isinstance(units, list) or not all(is_whole(unit, 0) and unit < count for unit in units):
            raise SettingError(f"{name} must be a list of whole numbers from 0 to {count - 1}, not {units!r}")
        return units

    def codes(self, views: Sequence[View]) -> Tensor:
        """Return the codes (N, D) of views, on the model's device and in its dtype."""
        codes = []
        for view in views:
            z_D = self._code(view.image).clone()
            if view.other is not None:
                other_D = self._code(view.other)
                if view.mix:
                    z_D = torch.lerp(z_D, other_D, view.mix)
                for unit in view.take:
                    members = self.m.units.members[unit]
                    z_D[members] = other_D[members]
            for unit, value in view.set.items():
                members = self.m.units.members[unit]
                z_D[members] = self._set_to(unit, torch.tensor(value, dtype=torch.float64)).to(z_D)
            codes.append(z_D)
        return torch.stack(codes)

    def see(self, views: Sequence[View]) -> Seen:
        """Decode views, and read their responses h = encode(decode(z)). ValueError where one is not finite."""
        m, z_ND = self.m, self.codes(views)
        shown, read = [], []
        with eval_mode(m.autoencoder), foreign_errors(packages_of(m.autoencoder)):
            for z_BD in torch.split(z_ND, m.batch_size):
                x_B = m.autoencoder.decode(z_BD)
                shown.append(as_stored(x_B))
                read.append(m.autoencoder.encode(x_B))
        observed, h_ND = np.concatenate(shown), torch.cat(read)
        if not torch.isfinite(h_ND).all() or not np.isfinite(observed).all():
            raise ValueError(f"what the model decodes or reads is not finite: {why_not_finite(m.autoencoder)}")
        return Seen(observed, self.values(z_ND), self.values(h_ND))

    def observation(self, image: int) -> np.ndarray:
        """Return an image of the data as results store it. SettingError for no such image."""
        view = self.view({"image": image})
        with torch.inference_mode():
            stored = as_stored(observations(self.m.autoencoder, self.m.dataset, torch.tensor([view.image])))
        return np.asarray(stored[0])

    def classes(self, image: int) -> list[int]:
        """Return the class of each factor or label of an image; nothing where none are known."""
        known = find_classes(self.m.dataset)
        return [] if known is None else known.classes(torch.tensor([image]))[0].tolist()

    def find(self, classes: Sequence[int], changed: int) -> int:
        """Return the first image with the class of the factor `changed`, and as many of the other classes as there are.

        SettingError for classes that there are not.
        """
        known = find_classes(self.m.dataset)
        if known is None or len(classes) != len(known.names) or not 0 <= changed < len(classes):
            raise SettingError("classes must be one of each known factor, and changed the number of one of them")
        for name, size, value in zip(known.names, known.sizes, classes, strict=True):
            if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < size:
                raise SettingError(f"{name} must be a whole number from 0 to {size - 1}, not {value!r}")
        equal_NF = known.classes(torch.arange(len(self.m.dataset))) == torch.tensor(classes)
        same_N = equal_NF.sum(1) + len(classes) * equal_NF[:, changed]
        return int(same_N.argmax())

    def values(self, z_ND: Tensor) -> np.ndarray:
        """Return the values of units (N, U) of codes (N, D), float64."""
        scaled_ND = (z_ND.double().cpu() - self.scale.centre_D) / self.scale.spread_D
        return np.asarray(self.m.units.pooled(scaled_ND).numpy())

    def set_to(self, unit: int, values_N: Tensor) -> Tensor:
        """Return the latents of a unit (N, m) that is set to values (N,)."""
        return self._set_to(unit, values_N[:, None])

    def _set_to(self, unit: int, values: Tensor) -> Tensor:
        members = self.m.units.members[unit]
        return self.scale.centre_D[members] + self.scale.spread_D[members] * values

    def _code(self, image: int) -> Tensor:
        if image not in self._codes:
            if len(self._codes) >= KEPT:
                self._codes.clear()
            indices = torch.tensor([image])
            self._codes[image] = encode_images(self.m.autoencoder, self.m.dataset, indices, batch_size=1)[0]
        return self._codes[image]
