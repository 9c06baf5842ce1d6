"""Which candidate of self-consistent action generation is kept."""

import random

import pytest

from agentdistill.agent import canonical, choose, outcome_key
from agentdistill.types import CodeError, Limit, Outcome


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("13138980.0", "13138980"),
        ("0.30000000000000004", "0.3"),
        ("1,234,567", "1234567"),
        ("  a \n b ", "a b"),
        (r"\dfrac{1}{2}", r"\frac{1}{2}"),
        (r"\boxed{\frac{1}{2}}", r"$\frac{1}{2}$"),
        ("1e3", "1000"),
        (r"\left( 1, 2 \right)", "( 1, 2 )"),
    ],
)
def test_two_spellings_of_one_outcome_agree(left: str, right: str) -> None:
    assert canonical(left) == canonical(right)


@pytest.mark.parametrize(
    ("left", "right"), [("12", "13"), ("0.5", "0.50001"), ("x2", "x3"), ("a", "A"), ("10**8", "1")]
)
def test_different_outcomes_differ(left: str, right: str) -> None:
    assert canonical(left) != canonical(right)


def test_huge_integers_stay_exact_and_huge_exponents_stay_small() -> None:
    digits = "1" + "0" * 60 + "7"
    assert canonical(digits) == digits
    assert len(canonical("1e999999999")) < 40


def test_a_printed_number_and_a_final_answer_do_not_agree() -> None:
    printed = outcome_key(Outcome(stdout="5\n"))
    final = outcome_key(Outcome(stdout="", final_answer="5", is_final=True))
    assert printed != final


@pytest.mark.parametrize(
    "outcome",
    [None, Outcome(stdout="5", error=CodeError("ValueError", "no")), Outcome(stdout="5", limit=Limit.WALL)],
)
def test_a_failed_candidate_has_no_key(outcome: Outcome | None) -> None:
    assert outcome_key(outcome) == ""


def test_the_largest_group_wins_whatever_failed() -> None:
    keys = ["", "a", "b", "a", "", ""]
    assert {choose(keys, random.Random(seed)) for seed in range(50)} == {1, 3}


def test_ties_are_broken_by_the_seed_alone() -> None:
    keys = ["a", "b", "", "c"]
    assert {choose(keys, random.Random(seed)) for seed in range(80)} == {0, 1, 3}
    assert choose(keys, random.Random(7)) == choose(keys, random.Random(7))


def test_where_all_failed_one_is_still_chosen() -> None:
    assert {choose(["", "", ""], random.Random(seed)) for seed in range(50)} == {0, 1, 2}
