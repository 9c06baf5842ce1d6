"""What stands beside a number: words of scale, units of measure, money, the time of day."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from agentdistill.grading.mathematics.numbers import is_decimal, number, numbers_agree

_POWERS = {
    "hundred": 2, "thousand": 3, "lakh": 5, "million": 6, "crore": 7, "billion": 9, "trillion": 12, "quadrillion": 15,
    "tenth": -1, "hundredth": -2, "thousandth": -3, "millionth": -6, "billionth": -9,
}  # fmt: skip
_SCALES = {
    **{word: Fraction(10) ** power for word, power in _POWERS.items()},
    **{word + "s": Fraction(10) ** power for word, power in _POWERS.items()},
    "mn": Fraction(10**6),
    "bn": Fraction(10**9),
    "dozen": Fraction(12),
    "dozens": Fraction(12),
}
_SHORT_SCALES = {"k": "thousand", "K": "thousand", "m": "million", "M": "million", "B": "billion"}
_WORD = "|".join(sorted(_SCALES, key=len, reverse=True))
_MACRO_SCALE = re.compile(
    rf"\\(?:text|textnormal|textrm|mbox|mathrm|operatorname)\s*\{{[\s~]*((?:{_WORD})\b[^{{}}]*)\}}", re.IGNORECASE
)
_MONEY_SCALE = re.compile(r"(?<=[$€£¥])(\s*\d[\d,]*(?:\.\d+)?)\s*([kKmMB])\b")
_NUMBER = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+"
_SCALED = re.compile(rf"(?<![\w.^{{,])({_NUMBER})\s*((?:(?:{_WORD})\b[\s~]*)+)", re.IGNORECASE)
_SCALED_LATER = re.compile(rf"(?<=[\d)}}])\s*((?:(?:{_WORD})\b[\s~]*)+)", re.IGNORECASE)


def apply_scales(text: str) -> str:
    """Numbers with their words of scale multiplied out, "4.2 million" as "4200000"; fractions get a factor."""
    if not re.search(r"[a-zA-Z]", text):
        return text
    text = _MONEY_SCALE.sub(lambda match: f"{match[1]} {_SHORT_SCALES[match[2]]} ", text)
    text = _SCALED.sub(_multiplied, _MACRO_SCALE.sub(r" \1 ", text))
    return _SCALED_LATER.sub(
        lambda match: f" \\times \\frac{{{_factor(match[1]).numerator}}}{{{_factor(match[1]).denominator}}} ", text
    )


def _factor(words: str) -> Fraction:
    factor = Fraction(1)
    for word in re.findall("[a-z]+", words.lower()):
        factor *= _SCALES[word]
    return factor


def _multiplied(match: re.Match[str]) -> str:
    value = Fraction(match[1].replace(",", "")) * _factor(match[2])
    return f"{_decimal(value)} "


def _decimal(value: Fraction) -> str:
    """A fraction of a power of ten, as it is written."""
    places = len(str(value.denominator))
    whole = str(value.numerator * 10**places // value.denominator).rjust(places + 1, "0")
    return f"{whole[:-places]}.{whole[-places:]}".rstrip("0").rstrip(".")


_LENGTH = {
    "mm": "0.001", "millimeter": "0.001", "millimetre": "0.001", "cm": "0.01", "centimeter": "0.01",
    "centimetre": "0.01", "dm": "0.1", "m": "1", "meter": "1", "metre": "1", "km": "1000", "kilometer": "1000",
    "kilometre": "1000", "in": "0.0254", "inch": "0.0254", "inche": "0.0254", "ft": "0.3048", "foot": "0.3048",
    "feet": "0.3048", "yd": "0.9144", "yard": "0.9144", "mi": "1609.344", "mile": "1609.344",
}  # fmt: skip
_TIME = {
    "ms": "0.001", "s": "1", "sec": "1", "second": "1", "min": "60", "minute": "60", "h": "3600", "hr": "3600",
    "hour": "3600", "day": "86400", "week": "604800",
}  # fmt: skip
_MASS = {
    "mg": "0.001", "milligram": "0.001", "g": "1", "gram": "1", "kg": "1000", "kilogram": "1000", "oz": "28.349523125",
    "ounce": "28.349523125", "lb": "453.59237", "pound": "453.59237",
}  # fmt: skip
_VOLUME = {"ml": "0.001", "milliliter": "0.001", "millilitre": "0.001", "l": "1", "L": "1", "liter": "1", "litre": "1"}
_CAPACITY = {"cup": "1", "pint": "2", "quart": "4", "gallon": "16"}
_DOLLARS = {"dollar": "1", "buck": "1", "usd": "1", "cent": "0.01", "¢": "0.01"}
_UNITS = {
    unit: (kind, Fraction(size))
    for kind, sizes in {
        "length": _LENGTH, "time": _TIME, "mass": _MASS, "volume": _VOLUME, "capacity": _CAPACITY, "money": _DOLLARS
    }.items()
    for unit, size in sizes.items()
}  # fmt: skip
_UNIT_MACRO = re.compile(r"\\(?:text|textnormal|textrm|mbox|mathrm|operatorname)\s*\{[\s~]*([^{}]*?)[\s~]*\}")
_BLANKS = re.compile(r"(?<!\\)\\[,;: !]|~|\s+")
_VALUE = rf"[-+]?(?:\d+\s+\d+/\d+|\d+\s*/\s*\d+|\d*\s*\\[dt]?frac\s*\{{\d+\}}\s*\{{\d+\}}|{_NUMBER})"
_MEASURE = re.compile(rf"\s*(?:and\s+|,\s*)?({_VALUE})\s*([a-zA-Z]+|¢|'(?!')|''|\")\.?", re.IGNORECASE)
_DOLLAR_SIGN = re.compile(rf"(-?)\s*\\?\$\s*(-?)\s*({_NUMBER})(?:\s*(?:dollars?|USD))?", re.IGNORECASE)
_PRODUCT = re.compile(r".*\d[a-zA-Z]")  # "5m": as likely a variable
_MARKS = {"'": "ft", '"': "in", "''": "in"}


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with its unit, or several that add up ("5 ft 6 in")."""

    kind: str
    value: Fraction  # in the unit of its kind: metre, second, gram, litre, cup, dollar
    written: Fraction | None  # the number as it stands; None where there are several
    approximate: bool  # written as a decimal


def quantity(text: str) -> Quantity | None:
    """The quantity that the whole text is; None where it is anything else, or a unit is not known here."""
    if not any(letter.isalpha() or letter in "$¢'\"" for letter in text):
        return None
    text = _BLANKS.sub(" ", _UNIT_MACRO.sub(r" \1 ", text)).strip().removesuffix(".")
    money = _DOLLAR_SIGN.fullmatch(text)
    if money is not None:
        value = Fraction(money[3].replace(",", "")) * (-1 if "-" in money[1] + money[2] else 1)
        return Quantity("money", value, value, is_decimal(money[3]))
    return _measures(text)


def _measures(text: str) -> Quantity | None:
    kinds, total, written, place, approximate = set(), Fraction(0), [], 0, False
    while place < len(text):
        match = _MEASURE.match(text, place)
        value = None if match is None else number(re.sub(r"\\[dt]frac", r"\\frac", match[1].replace(",", "")))
        unit = None if match is None else _unit(match[2])
        if match is None or value is None or unit is None or (match[2] in _MARKS and not _has_marks(text)):
            return None
        kinds.add(unit[0])
        total += value * unit[1]
        written.append(value)
        approximate |= is_decimal(match[1])
        place = match.end()
    if len(kinds) != 1 or _PRODUCT.fullmatch(text):
        return None
    return Quantity(kinds.pop(), total, written[0] if len(written) == 1 else None, approximate)


def _unit(word: str) -> tuple[str, Fraction] | None:
    word = _MARKS.get(word, word)
    lower = word.lower() if len(word) > 1 else word
    return _UNITS.get(lower) or (_UNITS.get(lower.removesuffix("s")) if len(lower) > 2 else None)


def _has_marks(text: str) -> bool:
    """Feet and inches as marks, of which one alone may be a derivative or the end of a quotation."""
    return re.fullmatch(r"\s*\d+\s*'\s*\d+[^']*(?:\"|'')", text) is not None


def same_quantity(gold: str, prediction: str) -> bool | None:
    """What known units say of two answers; None where they leave it to the numbers.

    Two known units of one kind are converted, those of different kinds differ. Beside a bare number a unit carries no
    weight; cents are worth a hundredth as well, and a sum of dollars and cents its dollars.
    """
    first, second = quantity(gold), quantity(prediction)
    if first is None and second is None:
        return None
    if first is not None and second is not None:
        same = numbers_agree(first.value, second.value, first.approximate or second.approximate)
        return first.kind == second.kind and same
    known, other = (first, prediction) if first is not None else (second, gold)
    bare = number(other.replace(",", "").strip())
    if known is None or (bare is None and known.written is not None):
        return None
    if bare is None:
        return False
    values = [known.value] if known.kind == "money" else []
    values += [known.written] if known.written is not None else []
    return any(numbers_agree(value, bare, known.approximate or is_decimal(other.strip())) for value in values)


_CLOCK = re.compile(r"(\d{1,2}):([0-5]\d)\s*(?:([ap])\.?\s?m\b\.?)?", re.IGNORECASE)


def same_clock(gold: str, prediction: str) -> bool | None:
    """What two times of day say; None where one of the answers is none."""
    first, second = (
        _CLOCK.fullmatch(_BLANKS.sub(" ", _UNIT_MACRO.sub(r" \1 ", text)).strip()) for text in (gold, prediction)
    )
    if first is None or second is None:
        return None
    halves = {half.lower() for half in (first[3], second[3]) if half}
    return first.groups()[:2] == second.groups()[:2] and len(halves) <= 1
