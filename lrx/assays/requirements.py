"""Requirements of an assay on the codes of a model, as its description has them, checked before a pass is spent."""

from __future__ import annotations

from lrx.assays import catalog
from lrx.assays.description import Codes
from lrx.core.settings import Checked
from lrx.core.sparse_code import SparseCode
from lrx.responses.draws import check_prior
from lrx.responses.enumeration import check_continuous
from lrx.responses.measurement import Measurement
from lrx.responses.places import map_shape


def check_codes(settings: Checked, m: Measurement) -> None:
    """Check that the assay of these settings measures such codes. ValueError says why not, and which assay does."""
    name = type(settings).__module__.split(".")[-2]
    description = catalog.describe(name)
    codes = description.codes if description else Codes()
    is_sparse = isinstance(m.autoencoder, SparseCode)
    if is_sparse and not codes.sparse:
        fitting = " or ".join(f"assay={name}" for name, entry in catalog.descriptions().items() if entry.codes.sparse)
        raise ValueError(
            f"assay={name} sets latents of dense codes, and {type(m.autoencoder).__name__} has a sparse one: most "
            f"draws would set 0 to 0, and say nothing; give {fitting}"
        )
    if codes.sparse and not is_sparse:
        raise ValueError(
            f"assay={name} measures sparse codes, brought in by lrx import weights=FOLDER of SAELens or "
            f"dictionary_learning; {type(m.autoencoder).__name__} has dense latents, whose assay is response_matrix"
        )
    if codes.places:
        map_shape(m, name)
    if codes.prior:
        check_prior(m)
    if codes.continuous:
        check_continuous(m, f"assay={name}", codes.continuous)
