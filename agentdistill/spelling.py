"""One spelling for values that Python and NumPy print in several: `[np.int64(3)]` and `[3]`, `[1 2]` and `[1, 2]`.

Texts in, texts out: nothing is evaluated. Each rule is one pass over the text whose work is linear in its length.
"""

from __future__ import annotations

import re

_ALONE = r"(?<![\w.])"
_SCALAR = re.compile(rf"{_ALONE}(?:np|numpy)\.(?:u?int|float|complex|bool|longlong|longdouble|str)\w*\(([^()]*+)\)")
_TRUTH = re.compile(rf"{_ALONE}(?:np|numpy)\.(True|False)_(?!\w)")
_DECIMAL = re.compile(rf"{_ALONE}(?:decimal\.)?(?:Decimal|mpf)\('([^'()]*+)'\)")
_FRACTION = re.compile(rf"{_ALONE}(?:fractions\.)?Fraction\((-?\d++), (\d++)\)(?=(\s*[*/^])?)")
_INFINITY = re.compile(rf"{_ALONE}(?:float\('([-+]?(?:inf|nan))'\)|(?:np|numpy|math)\.(inf|nan)(?!\w))")
_PREFIXED = re.compile(rf"{_ALONE}0([bB][01]{{1,256}}|[oO][0-7]{{1,128}}|[xX][0-9a-fA-F]{{1,64}})(?!\w)")

_FLAT = r"(?:[^()]|\([^()]*+\))*+"  # with brackets of one level within
_AS_LIST = re.compile(
    rf"{_ALONE}(?:(?:np|numpy)\.)?(?:array|tensor|dict_values|dict_keys|dict_items|deque)\((\[{_FLAT})\)"
)
_AS_SET = re.compile(rf"{_ALONE}(?:frozenset|OrderedDict|Counter)\((\{{{_FLAT})\)")
_OPTIONS = re.compile(r",\s*(?:dtype|maxlen|device|shape)=[^()\[\]]*+$")

_PADDED = re.compile(r"\[\s++")

_ITEM = r"(?:[-+]?(?:\d[\w.]*+(?:[-+]\d[\w.]*+)?|\.\d\w*+|nan|inf)|True|False|'[^'\n]*+'|\"[^\"\n]*+\")"
_SPACED = re.compile(rf"\[\s*+({_ITEM}(?:\s++{_ITEM})++)\s*+\]")
_ITEMS = re.compile(_ITEM)
_NEXT_ROW = re.compile(r"\]\s*?\n\s+\[")


def join_rows(text: str) -> str:
    """With commas between the rows of arrays that NumPy prints on lines of their own."""
    return _NEXT_ROW.sub("], [", text)


def plain(text: str) -> str:
    """The same values without the names of their types, arrays with commas, whole numbers of base 2, 8, 16 in base 10.

    Rows on lines of their own are left to `join_rows`.
    """
    if "(" in text:
        text = _SCALAR.sub(lambda match: _bracketed(match[1]), text)
        text = _FRACTION.sub(_ratio, _DECIMAL.sub(r"\1", text))
        text = _AS_LIST.sub(lambda match: _PADDED.sub("[", _OPTIONS.sub("", match[1])), text)
        text = _AS_SET.sub(r"\1", text)
    text = _INFINITY.sub(lambda match: match[1] or match[2], text)
    text = _PREFIXED.sub(lambda match: str(int("0" + match[1], 0)), _TRUTH.sub(r"\1", text))
    return _SPACED.sub(lambda match: "[" + ", ".join(_ITEMS.findall(match[1])) + "]", text)


def _bracketed(value: str) -> str:
    """A complex number keeps its brackets: it may stand in a product."""
    return f"({value})" if value.endswith("j") else value


def _ratio(match: re.Match[str]) -> str:
    """As `str` prints it; in brackets beside an operator that binds as closely."""
    if match[2] == "1":
        return match[1]
    is_factor = match[3] or match.string.endswith(("*", "/", "^"), 0, match.start())
    return f"({match[1]}/{match[2]})" if is_factor else f"{match[1]}/{match[2]}"
