"""Results in python: arrays with labels, scores with errors, a table, a picture, a file, an xarray data set."""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from lrx.assays import catalog
from lrx.core.text import with_error
from lrx.core.types import Array, AssayResult
from lrx.storage import results as files
from lrx.storage.array_attributes import array_attributes

if TYPE_CHECKING:
    import xarray
    from matplotlib.figure import Figure

PRINTED = 12  # rows and columns up to which an array is printed whole


@dataclass(frozen=True, repr=False)
class LabelledArray:
    """Values with a name for each axis and the labels along it; `numpy.asarray` gives the values."""

    name: str
    array: Array
    coordinates: Mapping[str, np.ndarray]

    @property
    def values(self) -> np.ndarray:
        """Values without labels."""
        return self.array.values

    @property
    def axes(self) -> tuple[str, ...]:
        """Name of each axis."""
        return self.array.axes

    def __array__(self, dtype: object = None, copy: bool | None = None) -> np.ndarray:
        """Return the values for numpy."""
        return np.array(self.array.values, dtype=dtype, copy=copy)  # type: ignore[call-overload, no-any-return]

    def __getitem__(self, index: int | slice | tuple[int | slice, ...]) -> np.ndarray:
        """Index the values by position."""
        return np.asarray(self.array.values[index])

    def to_xarray(self) -> xarray.DataArray:
        """Return the array with its labels as xarray's. ImportError without the extra `xarray`."""
        labels = {axis: self.coordinates[axis] for axis in self.axes if axis in self.coordinates}
        attributes = array_attributes(self.array.unit, self.array.description)
        about = {"coords": labels, "name": self.name, "attrs": attributes}
        array: xarray.DataArray = _xarray().DataArray(self.values, dims=self.axes, **about)
        return array

    def __repr__(self) -> str:
        """Return the axes, unit and meaning, and the values where they are few."""
        sizes = " x ".join(f"{axis} {size}" for axis, size in zip(self.axes, self.values.shape, strict=True))
        head = f"{self.name} ({sizes or 'a number'}), {self.array.unit}: {self.array.description}"
        if self.values.ndim > 2 or max(self.values.shape, default=0) > PRINTED:
            return head
        return f"{head}\n{np.array2string(self.values, precision=3, suppress_small=True)}"


class Result:
    """Result of an assay; prints as a table, shows its picture in a notebook.

    Arrays are attributes (`result.matrix`) and come from `result.array("matrix")` by name; `result.se("matrix")` has
    their standard errors. `scores` and `settings` are mappings; the error of the score `x` is `scores["x_se"]`.
    """

    def __init__(self, name: str, result: AssayResult, provenance: files.Provenance) -> None:
        self.name, self.provenance, self._result = name, dict(provenance), result

    @property
    def scores(self) -> Mapping[str, float]:
        """Scores by name, among them standard errors `x_se`."""
        return self._result.scores

    @property
    def settings(self) -> Mapping[str, str | int | float | bool | None]:
        """Settings that were given, and what was done."""
        return self._result.settings

    def array(self, name: str) -> LabelledArray:
        """Return an array by name. KeyError with the names that there are."""
        if name not in self._result.arrays:
            raise KeyError(f"{self.name} has no array {name!r}; it has {', '.join(self._result.arrays)}")
        return LabelledArray(name, self._result.arrays[name], self._result.coordinates)

    def se(self, name: str) -> LabelledArray:
        """Return the standard errors of an array. KeyError where it has none."""
        return self.array(f"{name}_se")

    def __getattr__(self, name: str) -> LabelledArray:
        """Return an array as an attribute."""
        if name.startswith("_") or name not in self._result.arrays:
            raise AttributeError(f"{self.name} has no array {name!r}; it has {', '.join(self._array_names())}")
        return self.array(name)

    def __dir__(self) -> list[str]:
        """List arrays beside methods, for completion."""
        return [*super().__dir__(), *self._array_names()]

    def _array_names(self) -> list[str]:
        return list(self.__dict__["_result"].arrays) if "_result" in self.__dict__ else []

    def plot(self) -> Figure | dict[str, Figure]:
        """Draw the picture of the assay; several by name where there are several. ValueError where it has none."""
        figures = self._figures()
        if not figures:
            raise ValueError(f"{self.name} has no picture")
        return next(iter(figures.values())) if len(figures) == 1 else figures

    def save(self, path: str | Path) -> Path:
        """Write the result to an HDF5 file, beside other assays of the same model and data; the path."""
        path = Path(path)
        files.write(path, {self.name: self._result}, self.provenance)
        return path

    def to_xarray(self) -> xarray.Dataset:
        """Return arrays and scores as an xarray data set. ImportError without the extra `xarray`."""
        arrays = {name: self.array(name).to_xarray() for name in self._result.arrays}
        settings = {key: "null" if value is None else value for key, value in self.settings.items()}
        dataset: xarray.Dataset = _xarray().Dataset({**arrays, **self.scores}, attrs=settings)
        return dataset

    def __repr__(self) -> str:
        """Return a table of scores with errors, and the arrays with their axes."""
        lines = [f"{self.title} ({self.name})"]
        rows = [(score, text, meaning) for score, text, meaning in self._score_rows()]
        wide = max((len(score) for score, _, _ in rows), default=0), max((len(text) for _, text, _ in rows), default=0)
        lines += [f"  {score:{wide[0]}}  {text:{wide[1]}}  {meaning}".rstrip() for score, text, meaning in rows]
        lines += ["arrays"]
        for name, array in self._result.arrays.items():
            sizes = " x ".join(f"{axis} {size}" for axis, size in zip(array.axes, array.values.shape, strict=True))
            lines.append(f"  {name}: {sizes}, {array.unit}")
        remark = self.settings.get("remark")
        return "\n".join([*lines, *([f"remark: {remark}"] if remark else [])])

    def _repr_html_(self) -> str:
        """Return the scores as a table and the picture, for notebooks."""
        rows = "".join(
            f"<tr><td>{html.escape(score)}</td><td>{html.escape(text)}</td>"
            f"<td style='text-align:left'>{html.escape(meaning)}</td></tr>"
            for score, text, meaning in self._score_rows()
        )
        remark = self.settings.get("remark")
        note = f"<p><em>{html.escape(str(remark))}</em></p>" if remark else ""
        pictures = "".join(
            f"<img alt='{html.escape(name)}' style='max-width:100%' src='data:image/png;base64,{data}'>"
            for name, data in self._png().items()
        )
        return f"<h4>{html.escape(self.title)}</h4><table>{rows}</table>{note}{pictures}"

    @property
    def title(self) -> str:
        """Title of the assay."""
        description = catalog.describe(self.name)
        return description.title if description else self.name

    def _score_rows(self) -> list[tuple[str, str, str]]:
        description = catalog.describe(self.name)
        names = [name for name in self.scores if not (name.endswith("_se") and name[: -len("_se")] in self.scores)]
        return [
            (
                name,
                with_error(self.scores[name], self.scores.get(f"{name}_se", math.nan)),
                description.meaning(name) if description else "",
            )
            for name in names
        ]

    def _figures(self) -> dict[str, Figure]:
        from lrx.assays.plotting import style  # matplotlib takes half a second to import

        figures = catalog.figures_of(self.name)
        if figures is None:
            return {}
        with style.plot_style():
            return dict(figures(self._result, self.provenance))

    def _png(self) -> dict[str, str]:
        from lrx.assays.plotting import style

        with style.plot_style():
            return {name: base64.b64encode(style.png(drawn)).decode() for name, drawn in self._figures().items()}


def read_results(path: str | Path) -> dict[str, Result]:
    """Read the assays of a results file, or of the folder of an assay, by name. ValueError for another file."""
    path = Path(path)
    content = files.read(path / files.FILENAME if path.is_dir() else path)
    return {name: Result(name, result, content.provenance_of[name]) for name, result in content.assays.items()}


def _xarray() -> ModuleType:
    try:
        import xarray
    except ImportError as error:
        raise ImportError("to_xarray needs xarray: pip install 'lrx[xarray]'") from error
    return xarray
