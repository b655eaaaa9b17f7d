"""Digits of a number beside its standard error."""

from __future__ import annotations

import math

MINUS = "\N{MINUS SIGN}"
MOST = 6  # decimals; smaller numbers are written with a power of ten


def rounded(value: float, error: float = math.nan) -> tuple[str, str]:
    """Round a value and its error to the first digit of the error, to its second where the first is a 1.

    Without an error the value has three digits, and the second text is empty.

    >>> rounded(6e-05, 0.0052), rounded(33.02, 1.49), rounded(-1234.4, 56.0), rounded(0.5, 0.0)
    (('0.000', '0.005'), ('33.0', '1.5'), ('−1234', '56'), ('0.500', '0'))
    >>> rounded(0.45678), rounded(1234.5), rounded(0.0)
    (('0.457', ''), ('1234', ''), ('0', ''))
    >>> rounded(1.234e-9, 5e-10), rounded(1.234e-9)
    (('1.2e-09', '5e-10'), ('1.2e-09', ''))
    """
    if math.isfinite(error) and error > 0:
        exponent = math.floor(math.log10(error))
        decimals = max(0, -exponent + (error < 2 * 10**exponent))
        if decimals > MOST:
            return f"{value:.2g}", f"{error:.1g}"
        return _fixed(value, decimals), f"{error:.{decimals}f}"
    decimals = 0 if value == 0 or not math.isfinite(value) else max(0, 2 - math.floor(math.log10(abs(value))))
    return _fixed(value, decimals) if decimals <= MOST else f"{value:.2g}", "" if math.isnan(error) else f"{error:g}"


def plus_minus(value: float, error: float = math.nan) -> str:
    """Write a value with its error, if it has one, on one line.

    >>> plus_minus(0.3512, 0.12), plus_minus(2.0)
    ('0.35 ± 0.12', '2.00')
    """
    number, of_error = rounded(value, error)
    return f"{number} ± {of_error}" if of_error else number


def _fixed(value: float, decimals: int) -> str:
    text = f"{value:.{decimals}f}"
    return text if float(text) >= 0 or math.isnan(value) else MINUS + text[1:] if float(text) < 0 else text.lstrip("-")
