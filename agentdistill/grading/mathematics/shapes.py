"""The shape of an answer, read from its text: a scalar, words, a group in brackets, a union, an equation, a matrix.

Brackets, order and number of parts are compared here, by the conventions of mathematics; only scalars are left to an
algebra system. Pure Python.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from agentdistill.grading.mathematics.notation import unquoted
from agentdistill.grading.mathematics.parts import Equation, Group, Matrix, Ratio, Scalar, Shape, Union, Words
from agentdistill.grading.mathematics.pycode import python_shape

MAX_DEPTH = 12

_MATRIX = re.compile(r"\\begin\s*\{([pbvBV]?matrix|array)\}(?:\{[lcr|]+\})?(.*?)\\end\s*\{\1\}", re.DOTALL)
_CUP = re.compile(r"\\cup(?![a-zA-Z])|(?<=[\])])\s*U\s*(?=[\[(])")
_RELATION = re.compile(r"\\leq?(?![a-zA-Z])|\\geq?(?![a-zA-Z])|\\lt(?![a-zA-Z])|\\gt(?![a-zA-Z])|<=|>=|<|>")
_UNEQUAL = re.compile(r"\\neq?(?![a-zA-Z])|!=")
_OR = re.compile(r"\\(?:lor|vee)(?![a-zA-Z])|\|")
_AND = re.compile(r"\\(?:land|wedge)(?![a-zA-Z])|&")
_COLON = re.compile(r":|\\colon(?![a-zA-Z])")
_INFINITE = frozenset({"\\infty", "-\\infty", "+\\infty", "oo", "-oo"})
_EQUALS = re.compile(r"(?<![<>!\\])=(?!=)")
_IN = re.compile(r"^[a-zA-Z]\s*\\in(?![a-zA-Z])\s*")
_VARIABLE = re.compile(r"[a-zA-Z]|\\(?:theta|alpha|beta|lambda|mu|phi|varphi)")
_PLUS_MINUS = re.compile(r"\\pm(?![a-zA-Z])|\+/-|\+-")
_WORDS = re.compile(r"[^\W\d_]+(?:[ '\-.][^\W\d_]+)*\.?")
_CHOICE = re.compile(r"\(?([A-Za-z])\)")
_OPEN = {"(": ")", "[": "]", "{": "}"}
_SET_BRACES = (("\\{", "{"), ("\\}", "}"), ("\\lbrace", "{"), ("\\rbrace", "}"), ("\\langle", "("), ("\\rangle", ")"))

_EMPTY = Group("{", "}", ())
_REALS = Group("(", ")", (Scalar("-\\infty"), Scalar("\\infty")))
_NAMED_SETS: dict[str, Shape] = {
    **dict.fromkeys(("\\emptyset", "\\varnothing", "\\{\\}", "{}", "EmptySet"), _EMPTY),
    **dict.fromkeys(("\\mathbb{R}", "\\mathbb R", "\\R", "Reals", "all real numbers"), _REALS),
}


def read_shape(text: str, depth: int = 0) -> Shape:
    """The shape of a cleaned answer. Text that fits no form is a Scalar (or Words)."""
    text = unquoted(text.strip()).strip()
    if depth > MAX_DEPTH:
        return Scalar(text)
    if text in _NAMED_SETS:
        return _NAMED_SETS[text]
    words = _words(text)
    if words is not None:
        return words
    code = python_shape(text, lambda inner: read_shape(inner, depth + 1))
    if code is not None:
        return code
    for read in (_matrix, _union, _logic, _relation, _equation, _group, _list, _ratio, _plus_minus):
        shape = read(text, depth)
        if shape is not None:
            return shape
    return Scalar(text)


def _words(text: str) -> Words | None:
    choice = _CHOICE.fullmatch(text)
    if choice is not None:
        return Words(choice[1].upper())
    # Two letters are a product of variables, three and more a word.
    is_product = len(text) < 3 and text.lower() != "no"
    if _WORDS.fullmatch(text) and not is_product and text.lower() not in _NOT_WORDS:
        return Words(text)
    return None


_NOT_WORDS = frozenset({"inf", "infinity", "zoo", "xyz", "abc"})


def _matrix(text: str, depth: int) -> Shape | None:
    match = _MATRIX.search(text)
    if match is None:
        return None
    before, after = text[: match.start()].strip(), text[match.end() :].strip()
    if after or (before and not before.endswith("=")):
        return None
    rows = [row for row in re.split(r"\\\\(?:\[[^\]]*\])?", match[2]) if row.strip()]
    return Matrix(tuple(tuple(read_shape(cell, depth + 1) for cell in row.split("&")) for row in rows))


def _union(text: str, depth: int) -> Shape | None:
    parts = _CUP.split(_IN.sub("", text))
    if len(parts) < 2:
        return None
    return Union(tuple(read_shape(part, depth + 1) for part in parts))


def _logic(text: str, depth: int) -> Shape | None:
    """Relations joined by "or" and "and": a union of intervals, an interval with both its ends."""
    for connective, join in ((_OR, _either), (_AND, _both)):
        parts = _split_at(text, connective)
        if len(parts) > 1 and all(_RELATION.search(part) or _UNEQUAL.search(part) for part in parts):
            return join([_bare(read_shape(part, depth + 1)) for part in parts])
    return None


def _bare(shape: Shape) -> Shape:
    """A list of one part is that part."""
    return shape.items[0] if isinstance(shape, Group) and len(shape.items) == 1 else shape


def _either(parts: list[Shape]) -> Shape | None:
    flat = [item for part in parts for item in (part.parts if isinstance(part, Union) else (part,))]
    return Union(tuple(flat)) if all(isinstance(part, Group) for part in flat) else None


def _both(parts: list[Shape]) -> Shape | None:
    """The interval between a lower and an upper bound; None for more, which would have to be compared."""
    intervals = [part for part in parts if isinstance(part, Group) and len(part.items) == 2]
    if len(intervals) != len(parts) or len({part.variable for part in intervals}) != 1:
        return None
    low = [(part.open, part.items[0]) for part in intervals if not _is_infinite(part.items[0])]
    high = [(part.close, part.items[1]) for part in intervals if not _is_infinite(part.items[1])]
    if len(low) > 1 or len(high) > 1:
        return None
    open_, start = low[0] if low else ("(", Scalar("-\\infty"))
    close, end = high[0] if high else (")", Scalar("\\infty"))
    return Group(open_, close, (start, end), intervals[0].variable)


def _is_infinite(shape: Shape) -> bool:
    return isinstance(shape, Scalar) and shape.text.replace(" ", "") in _INFINITE


def _relation(text: str, depth: int) -> Shape | None:
    """An inequality over one variable, as the interval that it describes; an end at infinity is open."""
    unequal = [part.strip() for part in _UNEQUAL.split(text)]
    if len(unequal) == 2 and _VARIABLE.fullmatch(unequal[0]) and unequal[1]:
        hole, variable = read_shape(unequal[1], depth + 1), unequal[0]
        ends = ((Scalar("-\\infty"), hole), (hole, Scalar("\\infty")))
        return Union(tuple(Group("(", ")", pair, variable) for pair in ends)) if isinstance(hole, Scalar) else None
    signs = ["<" if "l" in sign or "<" in sign else ">" for sign in _RELATION.findall(text)]
    closed = ["e" in sign or "=" in sign for sign in _RELATION.findall(text)]
    parts = [part.strip() for part in _RELATION.split(text)]
    if len(parts) == 2 and _VARIABLE.fullmatch(parts[1]) and not _VARIABLE.fullmatch(parts[0]):
        parts, signs = [parts[1], parts[0]], [{"<": ">", ">": "<"}[signs[0]]]
    if len(parts) == 2 and _VARIABLE.fullmatch(parts[0]):
        bound = read_shape(parts[1], depth + 1)
        if signs[0] == "<":
            return _interval("(", Scalar("-\\infty"), bound, "]" if closed[0] else ")", parts[0])
        return _interval("[" if closed[0] else "(", bound, Scalar("\\infty"), ")", parts[0])
    if len(parts) == 3 and _VARIABLE.fullmatch(parts[1]) and signs[0] == signs[1]:
        start, end = (read_shape(part, depth + 1) for part in (parts[0], parts[2]))
        if signs[0] == ">":
            start, end, closed = end, start, closed[::-1]
        return _interval("[" if closed[0] else "(", start, end, "]" if closed[1] else ")", parts[1])
    return None


def _interval(open_: str, start: Shape, end: Shape, close: str, variable: str) -> Shape:
    open_ = "(" if _is_infinite(start) else open_
    return Group(open_, ")" if _is_infinite(end) else close, (start, end), variable)


def _ratio(text: str, depth: int) -> Shape | None:
    parts = [part.strip() for part in _split_at(text, _COLON)]
    if len(parts) < 2 or not all(parts):
        return None
    items = tuple(read_shape(part, depth + 1) for part in parts)
    return Ratio(items) if all(isinstance(item, Scalar) for item in items) else None


def _equation(text: str, depth: int) -> Shape | None:
    if len(split_top(text, ",;")) > 1:
        return None
    parts = [part.strip() for part in _EQUALS.split(text)]
    if len(parts) < 2 or not parts[0] or not parts[-1]:
        return None
    return Equation(parts[0], read_shape(parts[-1], depth + 1))


def _group(text: str, depth: int) -> Shape | None:
    text = _IN.sub("", text)
    for macro, brace in _SET_BRACES:
        text = text.replace(macro, brace)
    if not text or text[0] not in _OPEN or text[-1] not in ")]}" or not _spans(text):
        return None
    open_, close, inner = text[0], text[-1], text[1:-1]
    parts = split_top(inner, ",;")
    if len(parts) == 1:
        if open_ == "(" and close == ")":
            return read_shape(inner, depth + 1)
        inner_shape = read_shape(inner, depth + 1) if inner.strip() else None
        return Group(open_, close, (inner_shape,) if inner_shape is not None else ())
    return Group(open_, close, tuple(read_shape(part, depth + 1) for part in parts if part.strip()))


def _list(text: str, depth: int) -> Shape | None:
    parts = [part for part in split_top(text, ",;") if part.strip()]
    if len(parts) < 2:
        return None
    items: list[Shape] = []
    for part in parts:
        shape = read_shape(part, depth + 1)
        # "1 \pm 2, 5" is a list of three.
        items.extend(shape.items if isinstance(shape, Group) and shape.is_list else (shape,))
    return Group("", "", tuple(items))


def _plus_minus(text: str, depth: int) -> Shape | None:
    parts = _PLUS_MINUS.split(text)
    if len(parts) != 2:
        return None
    signed = (read_shape(sign.join(parts), depth + 1) for sign in "+-")
    return Group("", "", tuple(signed))


def _spans(text: str) -> bool:
    """True where the first bracket closes at the last character. "[" may close with ")", as intervals do."""
    depth = 0
    for index, letter in enumerate(text):
        if letter in "([{":
            depth += 1
        elif letter in ")]}":
            depth -= 1
            if depth == 0:
                return index == len(text) - 1
    return False


def _split_at(text: str, separator: re.Pattern[str]) -> list[str]:
    """The parts of a text between matches that stand outside every bracket."""
    depth, start, parts = 0, 0, []
    places = {match.start(): match.end() for match in separator.finditer(text)}
    for index, letter in enumerate(text):
        depth += (letter in "([{") - (letter in ")]}")
        if depth == 0 and index in places:
            parts.append(text[start:index])
            start = places[index]
    return [*parts, text[start:]]


def split_top(text: str, separators: str) -> list[str]:
    """The parts of a text between separators that stand outside every bracket."""
    return list(_split_top(text, separators))


def _split_top(text: str, separators: str) -> Iterator[str]:
    depth, start = 0, 0
    for index, letter in enumerate(text):
        if letter in "([{":
            depth += 1
        elif letter in ")]}":
            depth = max(0, depth - 1)
        elif letter in separators and depth == 0:
            yield text[start:index]
            start = index + 1
    yield text[start:]
