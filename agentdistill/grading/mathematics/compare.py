"""Is a prediction the gold answer, mathematically? What a worker process runs."""

from __future__ import annotations

import re

from agentdistill.grading.mathematics.notation import clean, has_percent
from agentdistill.grading.mathematics.numbers import number
from agentdistill.grading.mathematics.parts import Equation, Group, Matrix, Ratio, Scalar, Shape, Union, Words
from agentdistill.grading.mathematics.quick import told_by_units
from agentdistill.grading.mathematics.scalars import same_equation, same_letters, same_value, sign_of_difference
from agentdistill.grading.mathematics.shapes import read_shape
from agentdistill.grading.text import MAX_ANSWER_CHARS, find_answer, is_sentence, last_expression

_BASE = re.compile(r"(-?(?=[A-Z]*\d)[0-9A-Z]+)_(\d{1,2})")
_PREFIXED = re.compile(r"0(?:b([01]+)|o([0-7]+)|x([0-9a-f]+))", re.IGNORECASE)
_PREFIX_BASES = (2, 8, 16)
_ASSIGNED = re.compile(r"[a-zA-Z](?:_\{?\w\}?)?|\\[a-z]+|[a-zA-Z]\([a-zA-Z]\)|\([a-zA-Z](?:,\s*[a-zA-Z])+\)")
_CHOICE = re.compile(
    r"(?:option|choice)?\s*(?:\(\s*([A-Za-z])\s*\)[.:]?|([A-Za-z])[.):](?=\s|$))(?!\s*(?:,|and\b|or\b))\s*(.*)|(?:(?:option|choice)\s+)?([A-Z])",
    re.IGNORECASE | re.DOTALL,
)
_APPROXIMATELY = re.compile(r"\\approx(?![a-zA-Z])")
_IN_ORDER = (frozenset("xyz"), frozenset("abcd"))  # names of which everybody knows which comes first


def same_answer(gold: str, prediction: str) -> bool:
    """True where the prediction gives the gold answer. Never raises for what the texts hold, and may never return:
    run it under a limit.
    """
    gold, found = find_answer(gold), find_answer(prediction)
    if len(found) > MAX_ANSWER_CHARS:
        return False
    told = told_by_units(gold, found)
    if told is not None:
        return told
    golds = _APPROXIMATELY.split(clean(gold))
    if has_percent(gold) and not has_percent(found):
        golds += [f"({part})/100" for part in golds]
    candidates = _APPROXIMATELY.split(_in_base(clean(found), found, golds[0]))[:1]
    inner = last_expression(found) if is_sentence(found) else None
    if inner is not None:
        candidates.append(clean(inner))
    if has_percent(found) and not has_percent(gold):
        candidates += [f"({part})/100" for part in candidates]
    return any(_same_text(one.strip(), other.strip()) for one in golds for other in candidates if one and other)


def _in_base(cleaned: str, found: str, gold: str) -> str:
    """What Python prints with a prefix ("0b1010"), as the gold answer has it where that names its base."""
    prefixed = _PREFIXED.fullmatch(found.strip()) if _BASE.fullmatch(gold) else None
    if prefixed is None:
        return cleaned
    return next(
        f"{digits.upper()}_{base}" for base, digits in zip(_PREFIX_BASES, prefixed.groups(), strict=True) if digits
    )


def _same_text(gold: str, prediction: str) -> bool:
    if same_letters(gold, prediction):
        return True
    base = _BASE.fullmatch(gold)
    if base is not None:
        other = _BASE.fullmatch(prediction)
        return prediction == base[1] if other is None else other.groups() == base.groups()
    chosen = _CHOICE.fullmatch(gold)
    if chosen is not None:
        other = _CHOICE.fullmatch(prediction)
        if other is not None:
            return _letter(chosen) == _letter(other)
        return bool(chosen[3]) and _same_text(chosen[3], prediction)
    return same_shape(read_shape(gold), read_shape(prediction))


def _letter(choice: re.Match[str]) -> str:
    return (choice[1] or choice[2] or choice[4]).upper()


def same_shape(gold: Shape, prediction: Shape) -> bool:
    """Compare part by part. Not symmetric: what the gold answer leaves open, the prediction may fill in."""
    gold, prediction = _single(gold), _single(prediction)
    if isinstance(gold, Equation):
        return _same_equation(gold, prediction)
    if isinstance(prediction, Equation):
        return _holds(prediction) and same_shape(gold, prediction.right)
    if isinstance(gold, Ratio) or isinstance(prediction, Ratio):
        return _same_ratio(gold, prediction)
    if isinstance(gold, Matrix):
        return _same_matrix(gold, prediction)
    if isinstance(gold, Union):
        return isinstance(prediction, Union) and _same_unordered(gold.parts, prediction.parts)
    if isinstance(gold, Group):
        return _same_group(gold, prediction)
    if isinstance(gold, Scalar) and isinstance(prediction, Scalar):
        return same_value(gold.text, prediction.text)
    return _same_words(gold, prediction)


def _holds(equation: Equation) -> bool:
    """False for an equation of two different numbers ("5 = 6")."""
    is_number = number(equation.left.strip()) is not None and isinstance(equation.right, Scalar)
    return not is_number or same_shape(Scalar(equation.left), equation.right)


def _single(shape: Shape) -> Shape:
    """A list or tuple of one part is that part."""
    while isinstance(shape, Group) and len(shape.items) == 1 and shape.open != "{":
        shape = shape.items[0]
    return shape


def _same_words(gold: Shape, prediction: Shape) -> bool:
    if not isinstance(gold, Words | Scalar) or not isinstance(prediction, Words | Scalar):
        return False
    first, second = (re.sub(r"[^\w]+", " ", shape.text).strip().casefold() for shape in (gold, prediction))
    return first == second != ""


def _same_equation(gold: Equation, prediction: Shape) -> bool:
    assigned = _ASSIGNED.fullmatch(gold.left.strip()) is not None
    if not isinstance(prediction, Equation):
        return assigned and same_shape(gold.right, prediction)
    if assigned and _ASSIGNED.fullmatch(prediction.left.strip()):
        same_left = gold.left.strip() == prediction.left.strip() or "(" in gold.left + prediction.left
        return same_left and same_shape(gold.right, prediction.right)
    if isinstance(gold.right, Scalar) and isinstance(prediction.right, Scalar):
        return same_equation((gold.left, gold.right.text), (prediction.left, prediction.right.text))
    return False


def _same_matrix(gold: Matrix, prediction: Shape) -> bool:
    if isinstance(prediction, Group):
        is_vector = len(gold.rows) == 1 or all(len(row) == 1 for row in gold.rows)
        cells = [cell for row in gold.rows for cell in row]
        return is_vector and prediction.open != "{" and _same_ordered(cells, prediction.items)
    if not isinstance(prediction, Matrix) or len(gold.rows) != len(prediction.rows):
        return False
    return all(_same_ordered(*rows) for rows in zip(gold.rows, prediction.rows, strict=True))


def _same_ratio(gold: Shape, prediction: Shape) -> bool:
    """Equal up to a common factor; of two parts, the quotient too."""
    first, second = (
        [item.text for item in shape.items if isinstance(item, Scalar)] if isinstance(shape, Ratio) else shape
        for shape in (gold, prediction)
    )
    if isinstance(first, list) and isinstance(second, list):
        ratios = [[f"({part})/({parts[0]})" for part in parts[1:]] for parts in (first, second)]
        return len(first) == len(second) and all(map(same_value, *ratios))
    quotients = [f"({side[0]})/({side[1]})" for side in (first, second) if isinstance(side, list) and len(side) == 2]
    values = [side.text for side in (first, second) if isinstance(side, Scalar)]
    return len(quotients) == len(values) == 1 and same_value(quotients[0], values[0])


def _same_group(gold: Group, prediction: Shape) -> bool:
    if isinstance(prediction, Matrix) and not gold.is_unordered:
        cells = [cell for row in prediction.rows for cell in row]
        is_vector = len(prediction.rows) == 1 or all(len(row) == 1 for row in prediction.rows)
        return is_vector and len(gold.items) > 1 and gold.open == "(" and _same_ordered(gold.items, cells)
    if not isinstance(prediction, Group) or len(gold.items) != len(prediction.items):
        return False
    if gold.variable and prediction.variable and gold.variable != prediction.variable:
        return False
    if gold.is_unordered:
        return _same_unordered(gold.items, prediction.items)
    if prediction.open == "{" or not _same_ordered(gold.items, _by_name(prediction.items)):
        return False
    same_brackets = (gold.open, gold.close) == (prediction.open, prediction.close)
    return same_brackets or prediction.is_list or not _is_interval(gold)


def _by_name(items: tuple[Shape, ...]) -> tuple[Shape, ...]:
    """Values of x, y and z in that order, in whichever they are given; others as they are."""
    named = [item for item in items if isinstance(item, Equation)]
    names = {item.left.strip() for item in named}
    if len(names) < len(items) or not any(names <= known for known in _IN_ORDER):
        return items
    return tuple(sorted(named, key=lambda item: item.left.strip()))


def _is_interval(group: Group) -> bool:
    """True where the brackets may tell an interval: two parts, the first the smaller."""
    if len(group.items) != 2:
        return False
    texts = [item.text for item in group.items if isinstance(item, Scalar)]
    return len(texts) == 2 and sign_of_difference(*texts) < 0


def _same_ordered(gold: tuple[Shape, ...] | list[Shape], prediction: tuple[Shape, ...] | list[Shape]) -> bool:
    return len(gold) == len(prediction) and all(map(same_shape, gold, prediction))


def _same_unordered(gold: tuple[Shape, ...], prediction: tuple[Shape, ...]) -> bool:
    left = list(prediction)
    for part in gold:
        match = next((index for index, other in enumerate(left) if same_shape(part, other)), None)
        if match is None:
            return False
        left.pop(match)
    return not left
