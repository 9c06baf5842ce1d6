"""The comparisons that need no algebra: equal strings and plain numbers, which are most of them."""

from __future__ import annotations

from agentdistill.grading.text import clean, find_answer, has_percent, is_decimal, number, numbers_agree

_MAX_CHARS = 200


def quick_verdict(gold: str, prediction: str) -> bool | None:
    """What `compare.same_answer` would say, where that is plain; None where algebra must decide."""
    if not prediction.strip():
        return False
    if len(gold) > _MAX_CHARS or len(prediction) > _MAX_CHARS:
        return None
    left, right = clean(find_answer(gold)), clean(find_answer(prediction))
    if left == right != "":
        return True
    first, second = number(left), number(right)
    if first is None or second is None:
        return None
    if numbers_agree(first, second, is_decimal(left) or is_decimal(right)):
        return True
    return None if has_percent(gold) or has_percent(prediction) else False
