"""Text format of names, numbers and foreign texts, wherever a person reads them."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Sequence

FORMULA_STARTS = tuple("=+-@\t\r＝＋－＠")  # the last four: full width
LONGEST = 1000  # characters of one value or error in a table
VALUES: dict[bool | None, str] = {None: "none", True: "yes", False: "no"}


def humanize(name: str) -> str:
    """Write a key as words.

    >>> humanize("num_informative")
    'num informative'
    """
    return name.replace("_", " ")


def with_error(value: float, error: float | None = None) -> str:
    """Write a value with four digits and its error with two.

    >>> with_error(0.51234, 0.0123), with_error(3.0), with_error(float("nan"))
    ('0.5123 ± 0.012', '3', 'not defined')
    """
    if math.isnan(value):
        return "not defined"
    return f"{value:.4g}" + ("" if error is None or math.isnan(error) else f" ± {error:.2g}")


def format_value(value: str | int | float | bool | None) -> str:
    """Write the value of a setting.

    >>> format_value(0.1), format_value(None), format_value(True), format_value("prior")
    ('0.1', 'none', 'yes', 'prior')
    """
    if value is None or isinstance(value, bool):
        return VALUES[value]
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def join_names(names: Sequence[str], most: int = 5) -> str:
    """Join names with commas; of many, the first ones and the number of the others.

    >>> join_names(["a", "b"]), join_names(["a", "b", "c", "d"], most=2)
    ('a, b', 'a, b and 2 more')
    """
    if len(names) <= most + 1:  # "and 1 more" would save nothing
        return ", ".join(names)
    return f"{', '.join(names[:most])} and {len(names) - most:,} more"


def did_you_mean(word: str, valid: Iterable[str], *, prefix: str = "") -> str:
    """Return the end of a message that names the valid word nearest to one that is not; empty where none is near.

    >>> did_you_mean("betave", ["vae", "betavae"]), did_you_mean("bta", ["beta"], prefix="model.")
    ('; did you mean betavae?', '; did you mean model.beta?')
    >>> did_you_mean("x", ["y"])
    ''
    """
    by_lower = {other.lower(): other for other in valid}
    near = difflib.get_close_matches(word.lower(), by_lower, n=1)
    return f"; did you mean {prefix}{by_lower[near[0]]}?" if near else ""


def count_of(number: int, noun: str) -> str:
    """Write a number with its noun, in the plural but for 1.

    >>> count_of(1, "linked folder"), count_of(2000, "image")
    ('1 linked folder', '2,000 images')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def reason(error: Exception) -> str:
    """Return an error in one line; its type where it has no message."""
    return one_line(str(error)) or type(error).__name__


def printable(text: str) -> str:
    """Write a text in one line, without the control characters that a terminal would obey.

    >>> printable("one \\x1b[31m line")
    'one ?[31m line'
    """
    line = " ".join(text.split())
    return line if line.isprintable() else "".join(letter if letter.isprintable() else "?" for letter in line)


def one_line(text: str) -> str:
    """Make a text of a file safe for a table: one line, printable, and cut after LONGEST characters."""
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]}... ({len(text):,} letters)"
    return printable(text)


def csv_cell(text: str) -> str:
    """Put a quote before a text that a spreadsheet would take for a formula; numbers stay.

    >>> [csv_cell(text) for text in ("=1+1", "-cmd", "\\t=1", "-1.5e3", "beta")]
    ["'=1+1", "'-cmd", "'\\t=1", '-1.5e3', 'beta']
    """
    if not text.startswith(FORMULA_STARTS):
        return text
    try:
        float(text)
    except ValueError:
        return f"'{text}"
    return text if text == text.strip() else f"'{text}"


def clock(seconds: float) -> str:
    """Write seconds as h:mm:ss, or m:ss below an hour."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def duration(seconds: float) -> str:
    """Write about how long something takes, for a person.

    >>> duration(0.3), duration(42), duration(200), duration(9000), duration(400_000)
    ('under 1 s', 'about 42 s', 'about 3 min', 'about 2.5 h', 'about 4.6 days')
    """
    if seconds < 1:
        return "under 1 s"
    if seconds < 90:
        return f"about {seconds:.0f} s"
    if seconds < 90 * 60:
        return f"about {seconds / 60:.0f} min"
    if seconds < 48 * 3600:
        return f"about {seconds / 3600:.1f} h"
    return f"about {seconds / 86400:,.1f} days"


def size(num_bytes: int) -> str:
    """Write a number of bytes.

    >>> size(31_000), size(31_000_000), size(1_840_000_000)
    ('under 1 MB', '31 MB', '1.8 GB')
    """
    if num_bytes < 1e6:
        return "under 1 MB"
    return f"{num_bytes / 1e6:.0f} MB" if num_bytes < 1e8 else f"{num_bytes / 1e9:,.1f} GB"
