"""Each rule of `grading_rules`, pair by pair."""

import pytest
from grading_rules import GOLDS, RIGHT, WRONG

from agentdistill.grading.mathematics.compare import same_answer
from agentdistill.grading.mathematics.quick import quick_verdict


@pytest.mark.parametrize(("gold", "prediction"), RIGHT)
def test_another_spelling_is_right(gold, prediction):
    assert same_answer(gold, prediction)


@pytest.mark.parametrize(("gold", "prediction"), WRONG)
def test_a_near_miss_is_wrong(gold, prediction):
    assert not same_answer(gold, prediction)


@pytest.mark.parametrize(("gold", "prediction"), [*RIGHT, *WRONG, *zip(GOLDS, GOLDS, strict=True)])
def test_the_shortcut_says_what_the_comparison_says(gold, prediction):
    quick = quick_verdict(gold, prediction)
    assert quick is None or quick == same_answer(gold, prediction)


def test_half_of_four_hundred_pairs_must_fail():
    assert len(RIGHT) + len(WRONG) >= 400
    assert len(WRONG) >= 200
