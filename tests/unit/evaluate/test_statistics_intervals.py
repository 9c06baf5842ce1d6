"""Intervals, paired tests and spreads, against values known from elsewhere."""

import math
import random

import pytest

from agentdistill.errors import DataError
from agentdistill.evaluate.statistics import (
    accuracy,
    bootstrap,
    compare,
    compare_average,
    mcnemar_exact,
    over_seeds,
    unpaired_difference,
    wilson,
)


@pytest.mark.parametrize("successes", [0, 1, 24, 47, 48])
def test_wilson_agrees_with_scipy(successes):
    from scipy.stats import binomtest

    expected = binomtest(successes, 48).proportion_ci(0.95, method="wilson")
    found = wilson(successes, 48)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_wilson_of_none_correct_starts_at_zero_and_does_not_end_there():
    found = wilson(0, 40)
    assert found.low == 0.0
    assert 0.05 < found.high < 0.15


@pytest.mark.parametrize(("successes", "n"), [(0, 0), (-1, 5), (6, 5)])
def test_wilson_refuses_impossible_counts(successes, n):
    with pytest.raises(ValueError, match="expected 0 <= successes <= n"):
        wilson(successes, n)


@pytest.mark.parametrize(("only_first", "only_second"), [(0, 0), (3, 3), (1, 9), (12, 5), (0, 41), (400, 460)])
def test_mcnemar_is_the_exact_two_sided_binomial_test(only_first, only_second):
    from scipy.stats import binomtest

    n = only_first + only_second
    expected = binomtest(min(only_first, only_second), n).pvalue if n else 1.0
    assert mcnemar_exact(only_first, only_second) == pytest.approx(expected, rel=1e-9)


def test_mcnemar_survives_thousands_of_discordant_questions():
    assert 0 <= mcnemar_exact(4_000, 6_000) < 1e-80


def test_bootstrap_gives_the_same_interval_for_the_same_seed_only():
    values = [[float(i % 3 == 0) for i in range(90)]]
    assert bootstrap(values, seed=4) == bootstrap(values, seed=4)
    assert bootstrap(values, seed=4) != bootstrap(values, seed=5)


def test_bootstrap_of_one_task_is_close_to_the_normal_interval():
    rng = random.Random(1)
    values = [rng.random() for _ in range(400)]
    found = bootstrap([values], seed=0)
    half = 1.96 * math.sqrt(sum((v - found.value) ** 2 for v in values) / 399) / 20
    assert (found.low, found.high) == pytest.approx((found.value - half, found.value + half), abs=0.004)


def test_average_weighs_each_task_alike_whatever_its_size():
    assert bootstrap([[1.0] * 10, [0.0] * 990]).value == pytest.approx(0.5)


def test_bootstrap_refuses_an_empty_task():
    with pytest.raises(ValueError, match="at least one question in each task"):
        bootstrap([[1.0], []])


def test_accuracy_does_not_depend_on_the_order_of_questions():
    scores = {f"q{i}": (i % 4) / 4 for i in range(50)}
    assert accuracy(scores) == accuracy(dict(reversed(list(scores.items()))))


def test_accuracy_of_one_sample_a_question_uses_wilson_and_of_several_the_bootstrap():
    assert accuracy({"a": 1.0, "b": 0.0}).method == "wilson"
    assert accuracy({"a": 1.0, "b": 0.5}).method == "bootstrap"


def test_compare_counts_discordant_questions_and_takes_second_minus_first():
    first = {f"q{i}": float(i < 10) for i in range(40)}
    second = {f"q{i}": float(5 <= i < 30) for i in range(40)}
    found = compare(first, second)
    assert (found.only_first, found.only_second, found.n, found.test) == (5, 20, 40, "mcnemar")
    assert found.difference == pytest.approx(15 / 40)
    assert found.low < found.difference < found.high
    assert found.p_value == pytest.approx(mcnemar_exact(5, 20))


def test_compare_of_shares_uses_the_paired_bootstrap():
    first = {f"q{i}": 0.25 for i in range(40)}
    second = {f"q{i}": 0.25 + 0.5 * (i % 2) for i in range(40)}
    found = compare(first, second)
    assert found.test == "bootstrap"
    assert found.p_value < 0.01


def test_compare_of_a_model_with_itself_finds_nothing():
    scores = {f"q{i}": float(i % 2) for i in range(20)}
    found = compare(scores, scores)
    assert (found.difference, found.low, found.high, found.p_value) == (0.0, 0.0, 0.0, 1.0)


def test_compare_refuses_different_questions_and_says_why():
    with pytest.raises(DataError, match=r"base and tuned were scored on different questions .* 'c', only in tuned"):
        compare({"a": 1.0, "b": 0.0}, {"a": 1.0, "b": 0.0, "c": 1.0}, names=("base", "tuned"))


def test_compare_refuses_a_cell_without_a_graded_question():
    with pytest.raises(DataError, match="tuned has no graded question"):
        compare({"a": 1.0}, {}, names=("base", "tuned"))


def test_spread_over_seeds_is_mean_and_sample_deviation():
    found = over_seeds([0.2, 0.4, 0.6])
    assert (found.mean, found.sd, found.low, found.high, found.n) == pytest.approx((0.4, 0.2, 0.2, 0.6, 3))
    assert over_seeds([0.3]).sd is None


def test_average_difference_weighs_tasks_alike():
    first = {"a": {f"q{i}": 0.0 for i in range(4)}, "b": {f"q{i}": 0.0 for i in range(400)}}
    second = {"a": {f"q{i}": 1.0 for i in range(4)}, "b": {f"q{i}": 0.0 for i in range(400)}}
    found = compare_average(first, second)
    assert (found.difference, found.only_second, found.n) == (0.5, 4, 404)


def test_average_difference_of_one_task_is_the_plain_comparison():
    first, second = {"x": 1.0, "y": 0.0}, {"x": 1.0, "y": 1.0}
    assert compare_average({"a": first}, {"a": second}) == compare(first, second)


def test_average_difference_refuses_different_tasks():
    with pytest.raises(DataError, match="base and tuned were scored on different tasks"):
        compare_average({"a": {"x": 1.0}}, {"b": {"x": 1.0}}, names=("base", "tuned"))


def test_unpaired_difference_is_newcombes():
    # Newcombe 1998, table II, contrast (a): 56/70 against 48/80, difference 0.2, interval 0.0524 to 0.3339.
    found = unpaired_difference(wilson(48, 80), wilson(56, 70))
    assert (found.value, found.low, found.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=1e-4)
