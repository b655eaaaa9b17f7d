"""Facts of a session that the page shows, in values that JSON has."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

from lrx.core.known_classes import find_classes
from lrx.core.types import Named
from lrx.explore.session import Seen, Session
from lrx.responses.contract import model_name

MOST_CELLS = 64  # units of a matrix that is sent whole
MOST_ROW = 24  # entries of a row
MOST_COLUMNS = 4096  # of a vector


def describe(session: Session) -> dict[str, object]:
    """Return what the page is about: the model, its units in the order of the sliders, factors, matrix."""
    m, scale, dataset = session.m, session.scale, session.m.dataset
    known, names = find_classes(dataset), getattr(dataset, "class_names", {})
    factors = [] if known is None else zip(known.names, known.sizes, strict=True)
    columns = dataset.column_names if isinstance(dataset, Named) else ()
    return {
        "title": f"{model_name(m.autoencoder)} on {dataset.name}",
        "source": dataset.source,
        "images": len(dataset),
        "first": session.first_image,
        "factors": [{"name": name, "size": size, "classes": list(names.get(name, ()))} for name, size in factors],
        "columns": list(columns[:MOST_COLUMNS]),
        "unit": m.units.kind,
        "units": [
            {
                "unit": unit,
                "low": float(scale.low_U[unit]),
                "high": float(scale.high_U[unit]),
                "own": _digits(session.own_U[unit]),
                "values": None if session.values_DV is None else session.values_DV[unit].double().tolist(),
            }
            for unit in session.order
        ],
        "order_by": session.order_by,
        "matrix": _matrix(session),
    }


def row_of(session: Session, unit: int) -> dict[str, object]:
    """Return the largest responses to one unit in the stored matrix, with their errors; nothing without a matrix."""
    if session.matrix is None:
        return {"responding": [], "matrix": [], "se": []}
    row_U, se_U = session.matrix.matrix_UU[unit], session.matrix.se_UU[unit]
    chosen = np.argsort(-row_U, kind="stable")[:MOST_ROW]
    return {"responding": chosen.tolist(), "matrix": _entries(row_U[chosen]), "se": _entries(se_U[chosen])}


def as_json(seen: Seen, units: list[int]) -> list[dict[str, object]]:
    """Return pictures of views with the values and responses of some units."""
    return [
        {"picture": picture(observed), "z": z_U[units].tolist(), "h": h_U[units].tolist()}
        for observed, z_U, h_U in zip(seen.observations, seen.z_NU, seen.h_NU, strict=True)
    ]


def picture(observed: np.ndarray) -> str | list[float]:
    """Return an image uint8 (C, H, W) as the data URI of a PNG, a vector as its numbers, the first `MOST_COLUMNS`."""
    if observed.dtype != np.uint8:
        return _list(observed.reshape(-1)[:MOST_COLUMNS])
    buffer = io.BytesIO()
    Image.fromarray(pixels(observed)).save(buffer, "png", compress_level=1)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def pixels(observed: np.ndarray) -> np.ndarray:
    """Return an image (C, H, W) as (H, W, 3) in colour, or (H, W); of other numbers of channels the first is shown."""
    return np.ascontiguousarray(observed.transpose(1, 2, 0) if len(observed) == 3 else observed[0])


def _matrix(session: Session) -> dict[str, object] | None:
    if session.matrix is None:
        return None
    whole = session.matrix.matrix_UU if len(session.m.units) <= MOST_CELLS else np.empty((0, 0))
    return {"values": [_entries(row_U) for row_U in whole], "source": session.matrix.source}


def _entries(values: np.ndarray) -> list[float | None]:
    """Return entries of a matrix, None for one that is not defined, as of a latent that never moves."""
    return [_digits(value) if np.isfinite(value) else None for value in values]


def _list(values: np.ndarray) -> list[float]:
    return [_digits(value) for value in values]


def _digits(value: float) -> float:
    """Return a finite number with 6 digits; 0 for what is none, such as a read-back that is not defined."""
    return float(f"{value:.6g}") if np.isfinite(value) else 0.0
