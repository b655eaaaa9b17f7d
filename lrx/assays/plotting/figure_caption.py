"""The small print of a picture: what was measured on what, how, and last what a reader must know; the same in each."""

from __future__ import annotations

from lrx.core.types import AssayResult
from lrx.storage import results

SEPARATOR = " · "
MARK = "▾"  # of an informative latent, wherever one is drawn


def figure_caption(result: AssayResult, provenance: results.Provenance, *parts: str) -> str:
    """The model, the data with their source in words, the parts that are not empty, and the remark of the assay."""
    source, remark = provenance.get("dataset_source"), result.settings.get("remark")
    said = [
        str(provenance.get("model", "model not recorded")).rpartition(".")[2],
        str(provenance.get("dataset", "data set not recorded")) + (f" ({in_words(str(source))})" if source else ""),
        *parts,
        str(remark or ""),
    ]
    return SEPARATOR.join(part for part in said if part)


def informative(result: AssayResult, count: str) -> str:
    """The mark of informative latents, how many they are, and the rule by which they are, as the file tells it."""
    array = result.arrays["informative"]
    rule = array.description.partition(": ")[2]
    # a space that no line breaks at: the mark stays beside its word
    return f"{MARK}\N{NO-BREAK SPACE}informative: {count} of {len(array.values)}" + (f" ({rule})" if rule else "")


def in_words(source: str) -> str:
    """The source of a data set for someone who does not know the word.

    >>> in_words("rendered, train part, 100 images")
    'rendered by lrx, not the official file; train part, 100 images'
    """
    kind, _, rest = source.partition(", ")
    told = {"rendered": "rendered by lrx, not the official file"}.get(kind, kind)
    return told + (f"; {rest}" if rest else "")
