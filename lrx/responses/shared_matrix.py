"""Response matrix of a run: measured once and handed on, or measured by the assay that needs one; and as arrays."""

from __future__ import annotations

from collections.abc import Sequence

from lrx.core.types import Array
from lrx.responses.matrix import AXES, SCALE, ResponseMatrix
from lrx.responses.measure_matrix import measure_matrix
from lrx.responses.measurement import Measurement


def shared_or_measured(
    m: Measurement,
    *,
    num_samples: int | None,
    default: int,
    base: str = "prior",
    rows: Sequence[int] | None = None,
    num_groups: int = 0,
) -> ResponseMatrix:
    """Return the matrix measured in this run where num_samples is None, and base and units are the same; else measure
    one.

    default: the number of independent draws where num_samples is None and there is no such matrix.
    rows, num_groups: see `measure_matrix`; a matrix of this run has all rows, and the groups it has.
    """
    if m.matrix is not None and serves(m, num_samples=num_samples, base=base):
        return m.matrix if rows is None else m.matrix.of_rows(rows)
    count = num_samples or default
    return measure_matrix(m, base=base, num_samples=count, rows=rows, num_groups=num_groups)


def matrix_arrays(matrix: ResponseMatrix, scale: str) -> dict[str, Array]:
    """Return `matrix` and `matrix_se` (R, D) of a result, on one of SCALES, which their descriptions name."""
    matrix_RD, se_RD = matrix.on_scale(scale)
    unit = "std of response" if scale == "std" else "latent"
    return {
        "matrix": Array(matrix_RD.numpy(), AXES, unit, f"latent response matrix, normalization {scale}"),
        "matrix_se": Array(se_RD.numpy(), AXES, unit, "standard error of the latent response matrix"),
    }


def step_arrays(matrix: ResponseMatrix) -> dict[str, Array]:
    """Return `step`, `read_back` and `read_back_se` (R,) of a result."""
    ratio_R, se_R = matrix.read_back()
    step = f"root mean square of the step v - z, normalization {SCALE}"
    return {
        "step": Array(matrix.step(SCALE).numpy(), AXES[:1], "latent", step),
        "read_back": Array(ratio_R.numpy(), AXES[:1], "1", "M_uu over the step: 1 where a unit is read as it was set"),
        "read_back_se": Array(se_R.numpy(), AXES[:1], "1", "its standard error"),
    }


def draws_arrays(matrix: ResponseMatrix) -> dict[str, Array]:
    """Return `num_draws` and `num_nets` (R,) of a result."""
    nets = "independent draws, or nets of them: errors have one degree of freedom less"
    return {
        "num_draws": Array(matrix.num_draws.numpy(), AXES[:1], "1", "draws of the row"),
        "num_nets": Array(matrix.num_nets.long().numpy(), AXES[:1], "1", nets),
    }


def serves(m: Measurement, *, num_samples: int | None, base: str = "prior") -> bool:
    """Return whether `shared_or_measured` takes the matrix measured in this run, and computes no response."""
    same_units = m.matrix is not None and m.matrix.units.is_same(m.units)
    return num_samples is None and m.matrix is not None and m.matrix.base == base and same_units
