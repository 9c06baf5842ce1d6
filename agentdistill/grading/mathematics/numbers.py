"""Plain numbers as text: the value of one, and when two of them agree."""

from __future__ import annotations

import re
from fractions import Fraction

_PLAIN_DECIMAL = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,4})?")
_PLAIN_RATIO = re.compile(r"([-+]?\d+)\s*/\s*([-+]?\d+)")
_PLAIN_MIXED = re.compile(r"([-+]?)(\d+)\s+(\d+)\s*/\s*(\d+)")
_PLAIN_FRAC = re.compile(r"([-+]?)\s*(\d+)?\s*\\frac\s*(?:\{\s*(-?\d+)\s*\}|(\d))\s*(?:\{\s*(\d+)\s*\}|(\d))")


def number(text: str) -> Fraction | None:
    """The value of a plain number (integer, decimal, ratio, LaTeX fraction, mixed number); None for anything else."""
    if _PLAIN_DECIMAL.fullmatch(text):
        return Fraction(text)
    ratio = _PLAIN_RATIO.fullmatch(text)
    if ratio is not None:
        return Fraction(int(ratio[1]), int(ratio[2])) if int(ratio[2]) else None
    mixed = _PLAIN_MIXED.fullmatch(text) or _PLAIN_FRAC.fullmatch(text)
    if mixed is None:
        return None
    top, bottom = (int(part) for part in mixed.groups()[2:] if part is not None)
    if not bottom or (mixed[2] and top < 0):
        return None
    value = Fraction(int(mixed[2] or 0)) + Fraction(top, bottom)
    return -value if mixed[1] == "-" else value


def is_decimal(text: str) -> bool:
    """True for a number written with a decimal point or an exponent."""
    return bool(_PLAIN_DECIMAL.fullmatch(text)) and bool(re.search(r"[.eE]", text))


def numbers_agree(gold: Fraction, prediction: Fraction, approximate: bool) -> bool:
    """Equal; where one of them is a decimal (`approximate`), equal up to its rounding.

    Six decimals (six digits below one), nine digits for large numbers; 5e-11 absolute covers golds rounded to ten
    decimals. Two whole numbers are never approximate.
    """
    if gold == prediction:
        return True
    if not approximate or (gold.denominator == 1 and prediction.denominator == 1):
        return False
    size = abs(gold)
    tolerance = max(size * Fraction(1, 10**9), min(size, Fraction(1)) * Fraction(1, 10**6), Fraction(6, 10**11))
    return abs(gold - prediction) <= tolerance
