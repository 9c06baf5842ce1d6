"""The comparisons that need no algebra: equal strings and plain numbers, which are most of them."""

from __future__ import annotations

from agentdistill.grading.mathematics.notation import clean, has_percent, strip_delimiters
from agentdistill.grading.mathematics.numbers import is_decimal, number, numbers_agree
from agentdistill.grading.mathematics.symbols import ascii_notation
from agentdistill.grading.mathematics.units import apply_scales, same_clock, same_quantity
from agentdistill.grading.text import find_answer

_MAX_CHARS = 200


def quick_verdict(gold: str, prediction: str) -> bool | None:
    """What `compare.same_answer` would say, where that is plain; None where algebra must decide."""
    if not prediction.strip():
        return False
    if len(gold) > _MAX_CHARS or len(prediction) > _MAX_CHARS:
        return None
    gold, prediction = find_answer(gold), find_answer(prediction)
    first, second = number(gold), number(prediction)
    if first is not None and second is not None:
        return numbers_agree(first, second, is_decimal(gold) or is_decimal(prediction))
    told = told_by_units(gold, prediction)
    if told is not None:
        return told
    left, right = clean(gold), clean(prediction)
    if left == right != "":
        return True
    first, second = number(left), number(right)
    if first is None or second is None:
        return None
    if numbers_agree(first, second, is_decimal(left) or is_decimal(right)):
        return True
    return None if has_percent(gold) or has_percent(prediction) else False


def told_by_units(gold: str, prediction: str) -> bool | None:
    """What units of measure, money and the time of day say; None where they leave it to the numbers."""
    first, second = (apply_scales(strip_delimiters(ascii_notation(text).strip())) for text in (gold, prediction))
    told = same_quantity(first, second)
    return same_clock(first, second) if told is None else told
