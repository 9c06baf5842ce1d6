"""Is a prediction the gold answer, mathematically? What a worker process runs."""

from __future__ import annotations

import re

from agentdistill.grading.mathematics.parts import Equation, Group, Matrix, Scalar, Shape, Union, Words
from agentdistill.grading.mathematics.scalars import same_equation, same_value, sign_of_difference
from agentdistill.grading.mathematics.shapes import read_shape
from agentdistill.grading.text import MAX_ANSWER_CHARS, clean, find_answer, has_percent, is_sentence, last_expression

_BASE = re.compile(r"(-?(?=[A-Z]*\d)[0-9A-Z]+)\s*_\s*\{?(\d{1,2})\}?")
_ASSIGNED = re.compile(r"[a-zA-Z](?:_\{?\w\}?)?|\\[a-z]+|[a-zA-Z]\([a-zA-Z]\)|\([a-zA-Z](?:,\s*[a-zA-Z])+\)")
_CHOSEN = re.compile(r"\(?([A-Za-z])[).:]\s*\S")  # "(C) 12"
_APPROXIMATELY = re.compile(r"\\approx(?![a-zA-Z])")


def same_answer(gold: str, prediction: str) -> bool:
    """True where the prediction gives the gold answer. Never raises for what the texts hold, and may never return:
    run it under a limit.
    """
    found = find_answer(prediction)
    if len(found) > MAX_ANSWER_CHARS:
        return False
    golds = _APPROXIMATELY.split(clean(find_answer(gold)))
    if has_percent(gold) and not has_percent(found):
        golds += [f"({part})/100" for part in golds]
    candidates = _APPROXIMATELY.split(clean(found))[:1]
    inner = last_expression(found) if is_sentence(found) else None
    if inner is not None:
        candidates.append(clean(inner))
    if has_percent(found) and not has_percent(gold):
        candidates += [f"({part})/100" for part in candidates]
    return any(_same_text(one.strip(), other.strip()) for one in golds for other in candidates if one and other)


def _same_text(gold: str, prediction: str) -> bool:
    if gold.replace(" ", "") == prediction.replace(" ", ""):
        return True
    base = _BASE.fullmatch(gold)
    if base is not None:
        other = _BASE.fullmatch(prediction)
        return prediction == base[1] if other is None else other.groups() == base.groups()
    return same_shape(read_shape(gold), read_shape(prediction))


def same_shape(gold: Shape, prediction: Shape) -> bool:
    """Compare part by part. Not symmetric: what the gold answer leaves open, the prediction may fill in."""
    gold, prediction = _single(gold), _single(prediction)
    if isinstance(gold, Equation):
        return _same_equation(gold, prediction)
    if isinstance(prediction, Equation):
        return same_shape(gold, prediction.right)
    if isinstance(gold, Matrix):
        return _same_matrix(gold, prediction)
    if isinstance(gold, Union):
        return isinstance(prediction, Union) and _same_unordered(gold.parts, prediction.parts)
    if isinstance(gold, Group):
        return _same_group(gold, prediction)
    if isinstance(gold, Scalar) and isinstance(prediction, Scalar):
        return same_value(gold.text, prediction.text)
    return _same_words(gold, prediction)


def _single(shape: Shape) -> Shape:
    """A list or tuple of one part is that part."""
    while isinstance(shape, Group) and len(shape.items) == 1 and shape.open != "{":
        shape = shape.items[0]
    return shape


def _same_words(gold: Shape, prediction: Shape) -> bool:
    if not isinstance(gold, Words | Scalar) or not isinstance(prediction, Words | Scalar):
        return False
    if isinstance(gold, Words) and len(gold.text) == 1:
        choice = _CHOSEN.match(prediction.text)
        prediction = Words(choice[1]) if choice is not None else prediction
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


def _same_group(gold: Group, prediction: Shape) -> bool:
    if isinstance(prediction, Matrix) and not gold.is_unordered:
        cells = [cell for row in prediction.rows for cell in row]
        is_vector = len(prediction.rows) == 1 or all(len(row) == 1 for row in prediction.rows)
        return is_vector and len(gold.items) > 1 and gold.open == "(" and _same_ordered(gold.items, cells)
    if not isinstance(prediction, Group) or len(gold.items) != len(prediction.items):
        return False
    if gold.is_unordered:
        return _same_unordered(gold.items, prediction.items)
    if prediction.open == "{" or not _same_ordered(gold.items, prediction.items):
        return False
    same_brackets = (gold.open, gold.close) == (prediction.open, prediction.close)
    return same_brackets or prediction.is_list or not _is_interval(gold)


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
