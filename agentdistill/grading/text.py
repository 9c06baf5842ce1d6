"""Answers as text: finding the answer in what a model wrote, and taking away what carries no meaning.

Pure Python, so that the common case (two plain numbers, two equal strings) needs no algebra and no worker.
"""

from __future__ import annotations

import re
from fractions import Fraction

#: A longer answer is no answer; what is longer is searched for one in a box before.
MAX_ANSWER_CHARS = 2_000
_SEARCHED_CHARS = 20_000  # the end of a text, where its answer stands
_SEARCHED_BOXES = 16

_SYMBOLS = str.maketrans(
    {
        "−": "-", "–": "-", "×": "\\times ", "·": "\\cdot ", "÷": "/", "π": "\\pi ", "∞": "\\infty ", "°": "^\\circ ",
        "∪": "\\cup ", "≤": "\\le ", "≥": "\\ge ", "±": "\\pm ", "²": "^2", "³": "^3", "∅": "\\emptyset ",
        "\u00a0": " ", "\u2009": " ", "\u202f": " ", "\u200b": "",
    }
)  # fmt: skip

_BOX = re.compile(r"\\(?:boxed|fbox)\s*\{")
_ANSWER_IS = re.compile(r"(?:answer|result)\s*(?:is|:|=)\s*(?P<answer>\S.*)", re.IGNORECASE)
_DELIMITERS = (("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"))
_INLINE = re.compile(r"\$([^$]+)\$|\\\((.+?)\\\)|\\\[(.+?)\\\]", re.DOTALL)
_NUMBER_IN_TEXT = re.compile(r"[-+]?\$?\d[\d,]*(?:\.\d+)?(?:/\d+)?(?:[eE][-+]?\d+)?")

_DROPPED = re.compile(r"\\(?:left|right|bigl?|bigr?|Bigl?|Bigr?|displaystyle)(?![a-zA-Z])|(?<!\\)\\!|\\limits")
_SPACES = re.compile(r"(?<!\\)\\[,;: ]|\\q?quad(?![a-zA-Z])|~|\s+")
_FRACTIONS = re.compile(r"\\[dtc]frac(?![a-zA-Z])")
_DEGREES = re.compile(
    r"(?:\^\s*\{?\s*\\circ\s*\}?|\\degree(?![a-zA-Z]))(?:\s*(?:\\(?:text|mathrm)\s*\{\s*)?[CF]\b\s*\}?)?"
)
_HEDGE = re.compile(r"^(?:approximately|about|roughly|exactly|only)\s+(?=\S*\d)", re.IGNORECASE)
_TIMES_TEN = re.compile(r"(?<=\d)\s*[xX]\s*(?=10\s*\^)")
_PERCENT = re.compile(r"\\?%|\bper\s?cent\b")
_MONEY = re.compile(r"^\$(?=\s*[\d.])|(?<=[-\s])\$(?=[\d.])|^(-?)\$(?=[\d.])|\b(?:USD|US dollars)\b|[€£]")
_TEXT_MACRO = r"\\(?:text|textnormal|textrm|textbf|textit|mbox|mathrm|mathbf|operatorname)\s*\{([^{}]*)\}"
_TEXT = re.compile(_TEXT_MACRO)
_NAMED_FUNCTION = re.compile(
    r"\\(?:operatorname|mathrm|text)\s*\{\s*((?:arc|a)?(?:sin|cos|tan|cot|sec|csc)h?|ln|log|exp)\s*\}"
)
_AND = re.compile(r"\s*,?\s+(?:and|or)\s+")
_LONG_EXPONENT = re.compile(r"\^(\d{2,})")
_UNIT = r"[a-zA-Z]{2,}\.?(?:\s*\^\s*\{?\d\}?|/[a-zA-Z]+)?"
_UNIT_WORDS = re.compile(rf"(?P<value>.*(?:[\d)}}\]]|\\pi))\s*(?P<unit>{_UNIT}(?:\s+{_UNIT}){{0,3}})")
_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])")

#: Words after a number that are mathematics, not units.
_NOT_UNITS = frozenset(
    (
        "and", "or", "pi", "sqrt", "sin", "cos", "tan", "cot", "sec", "csc", "log", "ln", "exp", "oo", "inf", "acos",
        "asin", "atan", "binom", "frac", "cup", "cap", "in", "mod", "pm", "times", "cdot", "le", "ge", "lt", "gt",
        "infty",
    )
)  # fmt: skip

_DECIMAL = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,4})?"
_PLAIN_DECIMAL = re.compile(_DECIMAL)
_PLAIN_RATIO = re.compile(r"([-+]?\d+)\s*/\s*([-+]?\d+)")
_PLAIN_MIXED = re.compile(r"([-+]?)(\d+)\s+(\d+)\s*/\s*(\d+)")
_PLAIN_FRAC = re.compile(r"([-+]?)\s*(\d+)?\s*\\frac\s*(?:\{\s*(-?\d+)\s*\}|(\d))\s*(?:\{\s*(\d+)\s*\}|(\d))")


def find_answer(text: str) -> str:
    """The answer within what a model wrote: the last box, else what follows "the answer is", else the text itself."""
    text = text[-_SEARCHED_CHARS:].strip()
    boxed = last_box(text)
    if boxed is not None:
        return boxed.strip()
    stated = _ANSWER_IS.search(text.rpartition("\n")[2])
    return text if stated is None else stated["answer"].strip()


def last_box(text: str) -> str | None:
    r"""The content of the last \boxed{...}; None where there is none that is closed."""
    starts = [match.end() for match in _BOX.finditer(text)]
    for start in reversed(starts[-_SEARCHED_BOXES:]):
        depth = 1
        for index in range(start, min(len(text), start + MAX_ANSWER_CHARS)):
            depth += {"{": 1, "}": -1}.get(text[index], 0)
            if depth == 0:
                return text[start:index]
    return None


def clean(text: str) -> str:
    """The answer without delimiters, spacing, units, currency, degree and percent signs.

    The value stays what it was: nothing is computed.
    """
    text = _strip_delimiters(text.translate(_SYMBOLS).replace("\\$", "").strip()).removesuffix(".").strip()
    text = _FRACTIONS.sub(r"\\frac", _DROPPED.sub("", text))
    text = _SPACES.sub(" ", text).strip()
    text = _MONEY.sub(r"\1", _DEGREES.sub(" ", text))
    text = _PERCENT.sub(" ", text)
    text = _NAMED_FUNCTION.sub(r"\\\1 ", text)
    text = _AND.sub(", ", _text_macros(text)).strip()
    text = _strip_units(_TIMES_TEN.sub(r"\\times ", _HEDGE.sub("", text)))
    text = _THOUSANDS.sub(lambda match: match[0].replace(",", ""), text)
    return _LONG_EXPONENT.sub(r"^{\1}", text).strip()


def _strip_delimiters(text: str) -> str:
    text = text.removesuffix(".").strip() if text.endswith(("$.", "\\).", "\\].")) else text
    for start, end in _DELIMITERS:
        inner = text[len(start) : len(text) - len(end)]
        wrapped = text.startswith(start) and text.endswith(end) and len(text) > len(start) + len(end)
        if wrapped and start not in inner and not inner.endswith("\\"):
            return inner.strip()
    return text


def _text_macros(text: str) -> str:
    r"""Without \text{...}: its words where they are the answer or a conjunction, nothing where they are a unit."""

    def replace(match: re.Match[str]) -> str:
        words = match[1].strip()
        is_unit = bool(text[: match.start()].strip(" -+(")) and words not in ("and", "or", "i")
        return "" if is_unit and not text[: match.start()].rstrip().endswith(",") else f" {words} "

    whole = _TEXT.fullmatch(text)
    if whole is not None:
        return whole[1].strip()
    without = _TEXT.sub(replace, text)
    return re.sub(r"(?<=[\d}])\s*\^\s*\{?[23]\}?$", "", without) if _unit_power(text) else without


def _unit_power(text: str) -> bool:
    r"""True where the text ends in a unit with a power: "864 \mbox{ inches}^2"."""
    return re.search(_TEXT_MACRO + r"\s*\^\s*\{?[23]\}?\s*$", text) is not None


def _strip_units(text: str) -> str:
    match = _UNIT_WORDS.fullmatch(text)
    if match is None or not re.search(r"\d", match["value"]) or match["value"].endswith("\\"):
        return text
    words = re.findall(r"[a-zA-Z]+", match["unit"])
    return text if any(word.lower() in _NOT_UNITS for word in words) else match["value"].strip()


def has_percent(text: str) -> bool:
    return _PERCENT.search(text) is not None


def last_expression(text: str) -> str | None:
    """In a sentence: the last formula between dollar signs, else the last number; None where there is neither."""
    formulas = _INLINE.findall(text)
    if formulas:
        return str(next(part for part in formulas[-1] if part))
    numbers = _NUMBER_IN_TEXT.findall(text)
    return numbers[-1].rstrip(",") if numbers else None


def is_sentence(text: str) -> bool:
    """True where the text is prose: three or more words, none of them LaTeX or code."""
    return len(re.findall(r"(?<![\\a-zA-Z])[a-zA-Z]{2,}(?![a-zA-Z(_])", text)) >= 3


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
