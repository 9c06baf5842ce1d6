"""An answer's text without what carries no meaning: delimiters, spacing, units, spellings of one notation.

Pure Python, so that the common case (two plain numbers, two equal strings) needs no algebra and no worker.
"""

from __future__ import annotations

import re

from agentdistill.grading.mathematics.symbols import ascii_notation
from agentdistill.grading.mathematics.units import apply_scales
from agentdistill.spelling import join_rows, plain

_DELIMITERS = (("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"))
_INLINE = re.compile(r"(?<!\\)\$([^\s$](?:[^$]*[^\s$,(\\])?)\$")
_QUOTED = re.compile(r"\s*(?:'([^'\n]*)'|\"([^\"\n]*)\")\s*")
_DROPPED = re.compile(r"\\(?:left|right|bigl?|bigr?|Bigl?|Bigr?|displaystyle)(?![a-zA-Z])|(?<!\\)\\!|\\limits")
_SPACES = re.compile(r"(?<!\\)\\[,;: ]|\\q?quad(?![a-zA-Z])|~|\s+")
_FRACTIONS = re.compile(r"\\[dtc]frac(?![a-zA-Z])")
_DEGREES = re.compile(
    r"(?:\^\s*\{?\s*\\circ\s*\}?|\\degree(?![a-zA-Z]))(?:\s*(?:\\(?:text|mathrm)\s*\{\s*)?[CF]\b\s*\}?)?"
)
_LEAD_IN = re.compile(r"^(?:approximately|about|roughly|exactly|only)\s+(?=\S*\d)", re.IGNORECASE)
_TIMES_TEN = re.compile(r"(?<=\d)\s*[xX]\s*(?=10\s*\^)")
PERCENT = re.compile(r"\\?%|\bper\s?cent\b")
_MONEY = re.compile(
    r"^\$(?=\s*[\d.])|(?<=[-\s])\$(?=[\d.])|^(-?)\$(?=[\d.])|\b(?:USD|EUR|GBP|US dollars)\b|[€£¥₹]|(?<=\d)\s*¢"
)
_TEXT_MACRO = r"\\(?:text|textnormal|textrm|textbf|textit|mbox|mathrm|mathbf|operatorname)\s*\{([^{}]*)\}"
_TEXT = re.compile(_TEXT_MACRO)
_NAMED_FUNCTION = re.compile(
    r"\\(?:operatorname|mathrm|text)\s*\{\s*((?:arc|a)?(?:sin|cos|tan|cot|sec|csc)h?|ln|log|exp)\s*\}"
)
_AND = re.compile(r"\s*,?\s+(and|or)\s+")
_LONG_EXPONENT = re.compile(r"\^(\d{2,})")
_UNIT = r"[a-zA-Z]{2,}\.?(?:\s*\^\s*\{?\d\}?|/[a-zA-Z]+)?"
_UNIT_WORDS = re.compile(rf"(?P<value>.*(?:[\d)}}\]]|\\pi))\s*(?P<unit>{_UNIT}(?:\s+{_UNIT}){{0,3}})")
_INCHES = re.compile(r"^in\.?(?=\s*\^|$)")  # elsewhere "in" is a relation
_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])")

_SPACED_THOUSANDS = re.compile(r"(?<![\w.,])[1-9]\d{0,2}(?: \d{3})+(?![\w.]| ?[\d(/\\])")
_RELATION = re.compile(r"[<>]|\\(?:[lg]e?q?|[lg]t|[lg]eqslant|neq?)(?![a-zA-Z])")
_SLANTED = re.compile(r"\\([lg]e)q?(?:slant|q)(?![a-zA-Z])")

_CONSTANT = re.compile(r"\\(?:mathrm|text|textrm|mathit|operatorname|rm|mathbf)\s*\{\s*([ei])\s*\}")
_NOT_A_UNIT = re.compile(r"\\(?:mathrm|text|mathit|mathsf)\s*\{\s*([abcfijknopqruvwxyz])\s*\}")
_VECTOR = re.compile(r"\\(?:mathbf|boldsymbol|bm|vec|hat|mathit|overrightarrow)\s*\{\s*\\?([a-zA-Z])\s*\}")
_BOLD = re.compile(r"\\(?:mathbf|boldsymbol|bm)\s*\{([^{}a-zA-Z]*)\}")
_CHOOSE = re.compile(r"\{\s*([^{}]+?)\s*\\choose\s*([^{}]+?)\s*\}")
_OVER = re.compile(r"\{\s*([^{}]+?)\s*\\over(?![a-zA-Z])\s*([^{}]+?)\s*\}")
_MIXED = re.compile(r"(?<![\w.{}])(\d+) +(\d+)\s*/\s*(\d+)(?![\d.])")
_TO = re.compile(r"(?<=\d)\s+to\s+(?=[\d\\])")

_DOTTED = re.compile(r"(\d*\.\d*)\\dot\s*\{?(\d)\}?(?:(\d*)\\dot\s*\{?(\d)\}?)?")
_BARRED = re.compile(r"(\d*\.\d*)\\(?:bar|overline)\s*\{\s*(\d+)\s*\}")
_PERIOD = re.compile(r"(?<![\w.)])(\d*\.\d*)\((\d+)\)(?=\s*(?:$|[,;)\]}]))")
_ELLIPSIS = re.compile(
    r"(?<![\w.])(\d*\.\d{0,20}?)(?:(\d)\2{2,30}|(\d{2,12}?)\3{1,9})(?:\.\.\.|\\[lc]?dots(?![a-zA-Z]))"
)

_UPRIGHT = r"(?:\\(?:text|mathrm|textrm|mathtt|texttt)\s*\{\s*)?"
_DIGITS = rf"\(?{_UPRIGHT}(-?(?=[A-Z]*\d)[0-9A-Z]+)\s*\}}?\)?"
_BASE_NAMES = dict(
    zip(
        ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "sixteen"),
        (2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 16),
        strict=True,
    )
)
_BASE_NAME = rf"(\d{{1,2}}|{'|'.join(_BASE_NAMES)})"
_MACRO_OPEN = r"(?:\\(?:text|mathrm|textrm|mbox|rm)\s*\{?\s*)?"
_INDEXED = re.compile(rf"{_DIGITS}\s*_\s*\{{?\s*{_MACRO_OPEN}\(?\s*{_BASE_NAME}\s*\)?\s*\}}{{0,2}}")
_IN_BASE = re.compile(rf"{_DIGITS}\s*\(?\s*(?:in\s+)?base[\s-]*{_BASE_NAME}\s*\)?", re.IGNORECASE)

#: Words after a number that are mathematics, not units.
_NOT_UNITS = frozenset(
    (
        "and", "or", "pi", "sqrt", "sin", "cos", "tan", "cot", "sec", "csc", "log", "ln", "exp", "oo", "inf", "acos",
        "asin", "atan", "binom", "frac", "cup", "cap", "in", "mod", "pm", "times", "cdot", "le", "ge", "lt", "gt",
        "infty", "to", "lor", "land",
    )
)  # fmt: skip


def clean(text: str) -> str:
    """The answer without delimiters, spacing, units, currency, degree and percent signs, in one notation.

    The value stays what it was: nothing but words of scale is computed.
    """
    text = _SPACES.sub(" ", plain(join_rows(ascii_notation(text))))
    text = apply_scales(_INLINE.sub(r"\1", text)).replace("\\$", "").strip()
    text = _DROPPED.sub("", strip_delimiters(text)).strip()
    text = text if text.endswith("..") else text.removesuffix(".").strip()
    base = _based(text)
    if base is not None:
        return base
    text = _FRACTIONS.sub(r"\\frac", text).replace("{,}", ",")
    text = _repeating(_SLANTED.sub(r"\\\1", text))
    text = _MONEY.sub(r"\1", _DEGREES.sub(" ", text)).strip()
    text = _letters(_NAMED_FUNCTION.sub(r"\\\1 ", PERCENT.sub(" ", text)))
    text = _conjunctions(_text_macros(text)).strip()
    text = _strip_units(_TIMES_TEN.sub(r"\\times ", _LEAD_IN.sub("", text)))
    text = _THOUSANDS.sub(lambda match: match[0].replace(",", ""), text)
    text = _SPACED_THOUSANDS.sub(lambda match: match[0].replace(" ", ""), text)
    text = _TO.sub(":", _MIXED.sub(_mixed, text))
    return _LONG_EXPONENT.sub(r"^{\1}", text).strip()


def has_percent(text: str) -> bool:
    return PERCENT.search(ascii_notation(text)) is not None


def unquoted(text: str) -> str:
    """What stands between quotation marks, where they are around all of it: Python's texts."""
    match = _QUOTED.fullmatch(text)
    return text if match is None else (match[1] if match[1] is not None else match[2])


def _based(text: str) -> str | None:
    """A whole number with its base as `DIGITS_BASE`, however the base is written; None where there is none."""
    match = _INDEXED.fullmatch(text) or _IN_BASE.fullmatch(text)
    return None if match is None else f"{match[1]}_{_BASE_NAMES.get(match[2], match[2])}"


def _repeating(text: str) -> str:
    """Repeating decimals with a bar over what repeats."""
    if "." not in text:
        return text
    text = _DOTTED.sub(lambda match: rf"{match[1]}\overline{{{match[2]}{match[3] or ''}{match[4] or ''}}}", text)
    text = _ELLIPSIS.sub(lambda match: rf"{match[1]}\overline{{{match[2] or match[3]}}}", text)
    return _PERIOD.sub(r"\1\\overline{\2}", _BARRED.sub(r"\1\\overline{\2}", text))


def _letters(text: str) -> str:
    """Constants, vectors and variables in other type are letters; binomials and fractions between braces are macros."""
    if "\\" not in text:
        return text
    text = _CHOOSE.sub(r"\\binom{\1}{\2}", _OVER.sub(r"\\frac{\1}{\2}", text))
    text = _NOT_A_UNIT.sub(r" \1 ", _CONSTANT.sub(r" \1 ", text))
    return _VECTOR.sub(r" \1 ", _BOLD.sub(r" \1 ", text))


def _conjunctions(text: str) -> str:
    """ "and" and "or" between relations are logic, between answers a list's commas."""
    signs = {"and": " \\land ", "or": " \\lor "} if _RELATION.search(text) else {"and": ", ", "or": ", "}
    return _AND.sub(lambda match: signs[match[1]], text)


def _mixed(match: re.Match[str]) -> str:
    whole, top, bottom = match.groups()
    return rf"{whole}\frac{{{top}}}{{{bottom}}}" if 0 < int(top) < int(bottom) else match[0]


def strip_delimiters(text: str) -> str:
    """What stands between dollar signs or LaTeX's brackets, where they are around all of it."""
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
    words = re.findall(r"[a-zA-Z]+", _INCHES.sub("", match["unit"]))
    return text if any(word.lower() in _NOT_UNITS for word in words) else match["value"].strip()
