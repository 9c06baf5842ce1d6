"""One value against another: are two expressions the same?

Only worker processes import this module: it needs sympy and math-verify, and what it is given may never end.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from typing import Any

import sympy
from math_verify import LatexExtractionConfig, parse, verify
from sympy.core.random import seed as seed_sympy

from agentdistill.grading.mathematics.formula import NotAFormulaError, read_formula
from agentdistill.grading.mathematics.numbers import is_decimal, number, numbers_agree
from agentdistill.grading.mathematics.piecewise import read_piecewise

#: Where expressions with variables are compared: positive, and no special value of a usual function.
_POINTS = tuple(sympy.Rational(*pair) for pair in ((37, 29), (61, 23), (19, 53), (83, 71), (47, 31), (101, 89)))
_NUM_TRIALS = 3
_DIGITS = 30
_EXACT = sympy.Rational(1, 10**20)
_MAX_BRACKETS = 100
_NOTHING = sympy.Rational(1, 10**25)  # what is left where terms cancel
_IDLE_BLANKS = re.compile(r"\s+(?![\w.])|(?<![\w.])\s+")
_ADJACENT = re.compile(r"\d\s+\d")  # "1 2" is neither 12 nor 2
_LATEX = (LatexExtractionConfig(),)


@lru_cache(maxsize=8_192)
def expression(text: str) -> Any:
    """The sympy expression of a scalar in LaTeX or Python; None where it is not one."""
    value = number(text)
    if value is not None:
        return sympy.Rational(value.numerator, value.denominator)
    try:
        return read_piecewise(text) or read_formula(text)
    except (NotAFormulaError, TypeError, ValueError, ZeroDivisionError, RecursionError):
        return None


def same_letters(first: str, second: str) -> bool:
    """True where two texts differ in blanks alone, none of which stands between two digits or letters."""
    return _IDLE_BLANKS.sub("", first) == _IDLE_BLANKS.sub("", second)


def same_value(gold: str, prediction: str) -> bool:
    """True where two scalars are mathematically equal (a decimal: equal up to its rounding)."""
    if same_letters(gold, prediction):
        return True
    left, right = expression(gold), expression(prediction)
    if left is None or right is None:
        return _verify(gold, prediction)
    approximate = _has_decimal(gold) or _has_decimal(prediction)
    verdict = _same_expression(left, right, approximate)
    return _verify(gold, prediction) if verdict is None else verdict


def same_equation(gold: tuple[str, str], prediction: tuple[str, str]) -> bool:
    """True where two equations (left, right) describe the same thing: one is a constant multiple of the other."""
    sides = [expression(text) for text in (*gold, *prediction)]
    if any(side is None for side in sides):
        return _verify(" = ".join(gold), " = ".join(prediction))
    first, second = sides[0] - sides[1], sides[2] - sides[3]
    ratios = []
    for values in _assignments(first, second)[:_NUM_TRIALS]:
        pair = (_value(first, values), _value(second, values))
        if None in pair or abs(pair[1]) < _EXACT:
            return _verify(" = ".join(gold), " = ".join(prediction))
        ratios.append(pair[0] / pair[1])
    return abs(ratios[0]) > _EXACT and all(abs(ratio - ratios[0]) <= abs(ratios[0]) * _EXACT for ratio in ratios)


def sign_of_difference(first: str, second: str) -> int:
    """-1, 0 or 1 as `first` is smaller, equal or larger than `second`; 0 too where that cannot be told."""
    left, right = expression(first), expression(second)
    if left is None or right is None:
        return 0
    if right in (sympy.oo,) or left in (-sympy.oo,):
        return 0 if left == right else -1
    value = _value(left - right, {})
    if value is None or sympy.im(value) != 0 or abs(value) < _EXACT:
        return 0
    return 1 if value > 0 else -1


def _has_decimal(text: str) -> bool:
    return is_decimal(text) or "." in text


def _same_expression(left: Any, right: Any, approximate: bool) -> bool | None:
    """None where numbers cannot tell."""
    if left == right:
        return True
    if left.is_Rational and right.is_Rational:
        return numbers_agree(Fraction(left.p, left.q), Fraction(right.p, right.q), approximate)
    if left.has(sympy.oo, -sympy.oo, sympy.zoo, sympy.nan) or right.has(sympy.oo, -sympy.oo, sympy.zoo, sympy.nan):
        return False
    num_told = 0
    for values in _assignments(left, right):
        first, second = _value(left, values), _value(right, values)
        if first is None or second is None:
            continue
        # Left of zero a root or a logarithm is undefined for most who write one, and complex for sympy.
        if _is_negative(values) and not (first.is_real and second.is_real):
            continue
        if not _close(first, second, approximate):
            return False
        num_told += 1
    return True if num_told else None


def _is_negative(values: dict[Any, Any]) -> bool:
    return any(value < 0 for value in values.values())


def _assignments(left: Any, right: Any) -> list[dict[Any, Any]]:
    """Values for every variable of both expressions; one empty assignment where there is none.

    R and r are one variable where no expression holds both.
    """
    symbols = sorted(left.free_symbols | right.free_symbols, key=lambda symbol: symbol.name)
    folded = {symbol: symbol.name.lower() for symbol in symbols}
    for side in (left, right):
        if len({folded[symbol] for symbol in side.free_symbols}) < len(side.free_symbols):
            folded = {symbol: symbol.name for symbol in symbols}
            break
    names = sorted(set(folded.values()))
    if not names:
        return [{}]
    places = {symbol: names.index(folded[symbol]) for symbol in symbols}
    trials = [
        {symbol: _POINTS[(place + trial) % len(_POINTS)] + place // len(_POINTS) for symbol, place in places.items()}
        for trial in range(_NUM_TRIALS)
    ]
    return [*trials, {symbol: -value for symbol, value in trials[0].items()}]


def _value(expression: Any, values: dict[Any, Any]) -> Any:
    """The complex value at a point, to 30 digits; None where it has none."""
    found = (expression.subs(values) if values else expression).evalf(_DIGITS)
    return found if found.is_number and found.is_finite else None


def _close(first: Any, second: Any, approximate: bool) -> bool:
    """As `text.numbers_agree`, for values that are not rational; exact values must agree to 20 digits."""
    difference, size = abs(first - second).evalf(_DIGITS), max(abs(first), abs(second))
    if difference <= max(size * _EXACT, _NOTHING):
        return True
    whole = all(value.is_Rational and value.q == 1 for value in (first, second))
    if not approximate or whole:
        return False
    return bool(difference <= max(size / 10**9, min(size, 1) / 10**6, sympy.Rational(6, 10**11)))


def _verify(gold: str, prediction: str) -> bool:
    """math-verify's own verdict, for what the reader of formulas does not take; False for what is no expression."""
    if not (_is_balanced(gold) and _is_balanced(prediction)) or _ADJACENT.search(gold) or _ADJACENT.search(prediction):
        return False
    seed_sympy(0)
    first, second = (
        parse(f"${text}$", _LATEX, fallback_mode="no_fallback", parsing_timeout=None) for text in (gold, prediction)
    )
    return bool(first and second and verify(first, second, allow_set_relation_comp=True, timeout_seconds=None))


def _is_balanced(text: str) -> bool:
    """True where brackets pair up, and are few enough for a grammar that descends into each."""
    num_open = sum(text.count(bracket) for bracket in "([{")
    return num_open == sum(text.count(bracket) for bracket in ")]}") and num_open <= _MAX_BRACKETS
