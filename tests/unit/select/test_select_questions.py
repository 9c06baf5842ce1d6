"""Which of a question's trajectories are kept, and which of two that are alike."""

import dataclasses

import pytest
from trajectories import STEP, make_trajectory

from agentdistill.config import SelectConfig
from agentdistill.select.questions import jaccard, refuse, shingles, survivor
from agentdistill.types import Trajectory

LONG = "I look up how many people live in Oslo and divide that by the number of people who live in Bergen"


def attempt(sample_index: int, text: str, question_id: str = "q1") -> Trajectory:
    step = dataclasses.replace(STEP, text=text)
    return make_trajectory(sample_index=sample_index, steps=(step,), question_id=question_id, question=question_id)


def dropped(config: SelectConfig, *attempts: Trajectory) -> dict[int, str]:
    return refuse([survivor(position, item, config) for position, item in enumerate(attempts)], config)


@pytest.mark.parametrize(("order", "kept"), [("first", 1), ("shortest", 2), ("longest", 0)])
def test_the_cap_keeps_those_that_are_preferred(order: str, kept: int) -> None:
    attempts = [attempt(2, "the longest of all three"), attempt(0, "somewhat long"), attempt(1, "short")]
    reasons = dropped(SelectConfig(max_per_question=1, per_question=order), *attempts)
    assert set(range(3)) - set(reasons) == {kept}
    assert set(reasons.values()) == {"more than 1 for the question"}


def test_the_first_is_the_first_sample_whatever_the_order_of_the_files() -> None:
    attempts = [attempt(3, "c"), attempt(1, "a"), attempt(2, "b")]
    assert set(dropped(SelectConfig(max_per_question=1), *attempts)) == {0, 2}


def test_the_cap_counts_each_question_alone() -> None:
    attempts = [attempt(0, "a"), attempt(0, "a", "q2"), attempt(1, "b"), attempt(1, "b", "q2")]
    assert set(dropped(SelectConfig(max_per_question=1), *attempts)) == {2, 3}


def test_a_near_duplicate_of_one_kept_is_dropped_and_names_itself() -> None:
    attempts = [attempt(0, LONG), attempt(1, f"{LONG}!"), attempt(2, "I ask for the ratio at once")]
    assert dropped(SelectConfig(near_duplicates=0.8), *attempts) == {1: "near-duplicate"}
    assert dropped(SelectConfig(), *attempts) == {}


def test_of_two_that_are_alike_the_preferred_one_is_kept() -> None:
    attempts = [attempt(0, f"{LONG}!"), attempt(1, LONG)]
    config = SelectConfig(near_duplicates=0.8, per_question="shortest")
    assert dropped(config, *attempts) == {0: "near-duplicate"}


def test_what_is_alike_on_another_question_is_no_duplicate() -> None:
    attempts = [attempt(0, LONG), attempt(0, LONG, "q2")]
    assert dropped(SelectConfig(near_duplicates=0.5), *attempts) == {}


def test_a_dropped_one_does_not_count_against_the_cap() -> None:
    attempts = [attempt(0, LONG), attempt(1, LONG), attempt(2, "I ask for the ratio at once")]
    assert dropped(SelectConfig(max_per_question=2), *attempts) == {1: "duplicate"}


@pytest.mark.parametrize(
    ("one", "other", "share"),
    [
        ("a b c d e f", "a b c d e f", 1.0),
        ("a b c d e f", "A  B c\nd e f", 1.0),
        ("a b c d e f", "a b c d e g", 1 / 3),  # abcde is shared; bcdef and bcdeg are not
        ("a b c d e", "v w x y z", 0.0),
        ("short", "short", 1.0),
        ("", "", 1.0),
    ],
)
def test_the_share_of_runs_of_five_tokens(one: str, other: str, share: float) -> None:
    assert jaccard(set(shingles(one)), set(shingles(other))) == pytest.approx(share)
