"""Caption of a figure in small print: model, data, settings, and last the remark of the assay."""

from __future__ import annotations

from lrx.assays.plotting.response_scale import criterion_on
from lrx.core.text import with_error
from lrx.core.types import AssayResult
from lrx.storage import results

SEPARATOR = " · "
MARK = "▾"  # of an informative latent, in all pictures


def figure_caption(result: AssayResult, provenance: results.Provenance, *parts: str) -> str:
    """Join the model, the data with their source, the parts that are not empty, and the remark of the assay."""
    source, remark = provenance.get("dataset_source"), result.settings.get("remark")
    texts = [
        str(provenance.get("model", "model not recorded")).rpartition(".")[2],
        str(provenance.get("dataset", "data set not recorded")) + (f" ({in_words(str(source))})" if source else ""),
        *parts,
        str(remark or ""),
    ]
    return SEPARATOR.join(text for text in texts if text)


def informative(result: AssayResult, count: str, scale: str = "") -> str:
    """Return the mark of informative latents, their number, and the criterion of the result on the scale drawn."""
    array = result.arrays["informative"]
    rule = criterion_on(scale, array.description.partition(": ")[2])
    # no line breaks between the mark and its word
    return f"{MARK}\N{NO-BREAK SPACE}informative: {count} of {len(array.values)}" + (f" ({rule})" if rule else "")


def score_text(result: AssayResult, name: str) -> str:
    """Write a score with its standard error."""
    return with_error(result.scores[name], result.scores[f"{name}_se"])


def in_words(source: str) -> str:
    """Explain the source of a data set.

    >>> in_words("rendered, train part, 100 images")
    'rendered by lrx, not the official file; train part, 100 images'
    """
    kind, _, rest = source.partition(", ")
    text = {"rendered": "rendered by lrx, not the official file"}.get(kind, kind)
    return text + (f"; {rest}" if rest else "")
