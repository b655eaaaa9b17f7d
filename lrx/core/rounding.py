"""Rounding of values to the digits that their standard errors leave.

`estimate` gives two digits of the error, for sentences and tables; `plus_minus` its first, for pictures and lists.
"""

from __future__ import annotations

import math

LEAST, LARGEST = 1e-4, 1e6  # beyond which a power of ten is written
MOST_DECIMALS = 6
MINUS = "\N{MINUS SIGN}"


def estimate(value: float, error: float | None = None) -> str:
    """Write a value with its standard error: two digits of the error, and as many decimals of the value.

    >>> estimate(0.38441, 0.0107), estimate(1234.4, 56.0), estimate(6e-5, 0.0052), estimate(0.25)
    ('0.384 ± 0.011', '1234 ± 56', '0.0001 ± 0.0052', '0.25')
    >>> estimate(3e-7, 2e-8), estimate(6.0, 0.0), estimate(float("nan"), 1.0)
    ('(3.00 ± 0.20)e-07', '6', 'not defined')
    """
    if not math.isfinite(value):
        return "not defined" if math.isnan(value) else f"{value}"
    number, uncertainty, power = rounded(value, error)
    both = f"{number} ± {uncertainty}" if uncertainty else number
    if not power:
        return both
    return f"({both})e{power:+03d}" if uncertainty else f"{both}e{power:+03d}"


def share(value: float, error: float | None = None) -> str:
    """Write a share as a percentage with its error.

    >>> share(0.4805, 0.1288), share(0.96), share(1.0, 0.0), share(float("nan"))
    ('48 ± 13 %', '96 %', '100 %', 'not defined')
    """
    return estimate(100 * value, None if error is None else 100 * error) + (" %" if math.isfinite(value) else "")


def rounded(value: float, error: float | None = None) -> tuple[str, str, int]:
    """Return a finite value, its error (empty for none, NaN or 0) and the power of ten by which both are multiplied.

    Without an error a value has three digits. An error below a millionth of the power of ten has one digit.

    >>> rounded(12345.0, 678.0), rounded(2e-7, 5e-8), rounded(1.28, 1e-9)
    (('12340', '680', 0), ('2.00', '0.50', -7), ('1.28', '1e-09', 0))
    """
    known = error if error is not None and math.isfinite(error) and error > 0 else 0.0
    largest = max(abs(value), known)
    power = 0 if not largest or LEAST <= largest < LARGEST else math.floor(math.log10(largest))
    value, known = value / 10.0**power, known / 10.0**power
    if not known:
        return _three_digits(value), "", power
    known = float(f"{known:.1e}")  # first, as rounding may add a digit: 0.0996 to 0.10
    decimals = 1 - math.floor(math.log10(known))
    if decimals > MOST_DECIMALS:
        return f"{value:.{MOST_DECIMALS}g}", f"{known:.0e}", power
    number, uncertainty = (f"{round(x, decimals):.{max(decimals, 0)}f}" for x in (value, known))
    return number.removeprefix("-") if float(number) == 0 else number, uncertainty, power


def _three_digits(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 1000 or value.is_integer() else f"{value:.3g}"


def first_digits(value: float, error: float = math.nan) -> tuple[str, str]:
    """Round a value and its error to the first digit of the error, to its second where the first is a 1.

    Without an error the value has three digits, and the second text is empty.

    >>> first_digits(6e-05, 0.0052), first_digits(33.02, 1.49), first_digits(-1234.4, 56.0), first_digits(0.5, 0.0)
    (('0.000', '0.005'), ('33.0', '1.5'), ('−1234', '56'), ('0.500', '0'))
    >>> first_digits(0.45678), first_digits(1234.5), first_digits(0.0)
    (('0.457', ''), ('1234', ''), ('0', ''))
    >>> first_digits(1.234e-9, 5e-10), first_digits(1.234e-9)
    (('1.2e-09', '5e-10'), ('1.2e-09', ''))
    """
    if math.isfinite(error) and error > 0:
        exponent = math.floor(math.log10(error))
        decimals = max(0, -exponent + (error < 2 * 10**exponent))
        if decimals > MOST_DECIMALS:
            return f"{value:.2g}", f"{error:.1g}"
        return _fixed(value, decimals), f"{error:.{decimals}f}"
    decimals = 0 if value == 0 or not math.isfinite(value) else max(0, 2 - math.floor(math.log10(abs(value))))
    return _fixed(value, decimals) if decimals <= MOST_DECIMALS else f"{value:.2g}", "" if math.isnan(
        error
    ) else f"{error:g}"


def plus_minus(value: float, error: float = math.nan) -> str:
    """Write a value with its error, if it has one, on one line.

    >>> plus_minus(0.3512, 0.12), plus_minus(2.0)
    ('0.35 ± 0.12', '2.00')
    """
    number, of_error = first_digits(value, error)
    return f"{number} ± {of_error}" if of_error else number


def _fixed(value: float, decimals: int) -> str:
    text = f"{value:.{decimals}f}"
    return text if float(text) >= 0 or math.isnan(value) else MINUS + text[1:] if float(text) < 0 else text.lstrip("-")
