"""Intervals, paired tests and spreads, against values known from elsewhere."""

import itertools

import pytest

from agentdistill.errors import DataError
from agentdistill.evaluate.permutation import sign_flip_p_value
from agentdistill.evaluate.statistics import (
    Estimate,
    accuracy,
    average_over_tasks,
    compare,
    compare_average,
    exact_share,
    mcnemar_exact,
    mean_share,
    over_seeds,
    paired_difference,
    unpaired_difference,
)


@pytest.mark.parametrize("successes", [0, 1, 24, 47, 48])
def test_the_exact_interval_agrees_with_scipy(successes):
    from scipy.stats import binomtest

    expected = binomtest(successes, 48).proportion_ci(0.95, method="exact")
    found = exact_share(successes, 48)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)


@pytest.mark.parametrize(("successes", "n"), [(0, 0), (-1, 5), (6, 5)])
def test_the_exact_interval_refuses_impossible_counts(successes, n):
    with pytest.raises(ValueError, match="expected 0 <= successes <= n"):
        exact_share(successes, n)


@pytest.mark.parametrize("scores", [[], [1.5], [-0.1, 0.5], [float("nan")]])
def test_a_mean_refuses_what_is_no_share(scores):
    with pytest.raises(ValueError, match="each from 0 to 1"):
        mean_share(scores)


@pytest.mark.parametrize("differences", [[], [1.5], [-2.0, 0.5]])
def test_a_difference_refuses_what_is_none(differences):
    with pytest.raises(ValueError, match="each from -1 to 1"):
        paired_difference(differences)


@pytest.mark.parametrize("n", [1, 2, 6, 20, 500])
@pytest.mark.parametrize("score", [0.0, 0.5, 1.0])
def test_no_interval_has_a_width_of_zero_however_uniform_the_scores(n, score):
    share, difference = mean_share([score] * n), paired_difference([score] * n)
    average = average_over_tasks([share, share])
    for found in (share, average, difference, paired_difference([-score] * n)):
        assert found.high - found.low > 0.5 / n
        assert found.low <= found.value <= found.high


def test_the_ends_of_an_interval_stay_within_what_is_possible():
    assert (mean_share([0.0] * 6).low, mean_share([1.0] * 6).high) == (0.0, 1.0)
    assert (paired_difference([1.0] * 6).high, paired_difference([-1.0] * 6).low) == (1.0, -1.0)


def test_an_average_of_nothing_correct_reaches_above_zero():
    found = average_over_tasks([mean_share([0.0] * 3), mean_share([0.0] * 3)])
    assert (found.value, found.low) == (0.0, 0.0)
    assert found.high > 0.3


def test_several_samples_are_worth_more_than_one_and_less_than_as_many_questions():
    shares = [0.0, 0.25, 0.5, 0.75, 1.0, 0.5] * 8

    def width(found):
        return found.high - found.low

    one, many = exact_share(24, 48), exact_share(24 * 4, 48 * 4)
    assert width(many) < width(mean_share(shares)) < width(one)


def test_an_average_of_one_task_is_that_task():
    part = mean_share([1.0, 0.0, 1.0])
    assert average_over_tasks([part]) == part


def test_an_average_refuses_no_task():
    with pytest.raises(ValueError, match="at least one estimate"):
        average_over_tasks([])


def test_average_weighs_each_task_alike_whatever_its_size():
    assert average_over_tasks([mean_share([1.0] * 10), mean_share([0.0] * 990)]).value == pytest.approx(0.5)


@pytest.mark.parametrize(("only_first", "only_second"), [(0, 0), (3, 3), (1, 9), (12, 5), (0, 41), (400, 460)])
def test_mcnemar_is_the_exact_two_sided_binomial_test(only_first, only_second):
    from scipy.stats import binomtest

    n = only_first + only_second
    expected = binomtest(min(only_first, only_second), n).pvalue if n else 1.0
    assert mcnemar_exact(only_first, only_second) == pytest.approx(expected, rel=1e-9)


def test_mcnemar_survives_thousands_of_discordant_questions():
    assert 0 <= mcnemar_exact(4_000, 6_000) < 1e-80


def test_accuracy_does_not_depend_on_the_order_of_questions():
    scores = {f"q{i}": (i % 4) / 4 for i in range(50)}
    assert accuracy(scores) == accuracy(dict(reversed(list(scores.items()))))


def test_accuracy_of_one_sample_a_question_is_exact_and_of_several_by_effective_size():
    assert accuracy({"a": 1.0, "b": 0.0}).method == "exact"
    assert accuracy({"a": 1.0, "b": 0.5}).method == "effective"


def test_compare_counts_discordant_questions_and_takes_second_minus_first():
    first = {f"q{i}": float(i < 10) for i in range(40)}
    second = {f"q{i}": float(5 <= i < 30) for i in range(40)}
    found = compare(first, second)
    assert (found.only_first, found.only_second, found.n, found.test) == (5, 20, 40, "mcnemar")
    assert found.difference == pytest.approx(15 / 40)
    assert found.low < found.difference < found.high
    assert found.p_value == pytest.approx(mcnemar_exact(5, 20))


def test_a_test_finds_no_more_than_its_questions_can_tell():
    first = {f"q{i}": 0.0 for i in range(6)}
    second = {f"q{i}": 1.0 - (i == 0) / 2 for i in range(6)}
    found = compare(first, second)
    assert (found.test, found.p_value) == ("sign-flip", 2 / 2**6)
    assert found.low < found.difference < found.high


def test_signs_are_flipped_over_all_tasks_at_once():
    zeros, ones = {f"q{i}": 0.0 for i in range(3)}, {f"q{i}": 1.0 for i in range(3)}
    found = compare_average({"a": zeros, "b": zeros}, {"a": ones, "b": ones})
    assert (found.p_value, found.test) == (2 / 2**6, "sign-flip")


@pytest.mark.parametrize(("gains", "losses"), [(0, 0), (1, 0), (3, 3), (9, 1), (12, 5), (41, 0)])
def test_the_sign_flip_test_of_scores_of_0_and_1_is_mcnemars(gains, losses):
    differences = [1.0] * gains + [-1.0] * losses + [0.0] * 7
    assert sign_flip_p_value([differences]) == pytest.approx(mcnemar_exact(losses, gains), rel=1e-9)


@pytest.mark.parametrize(
    "tasks",
    [
        [[0.5, -0.25, 1.0, 0.75]],
        [[1 / 3, 2 / 3, -1 / 3, 1.0], [1.0, 0.0]],
        [[0.2] * 5, [-1 / 7, 3 / 7, 1.0], [0.5]],
        [[1 / 997, 1 / 991], [1 / 983, 1.0]],
    ],
)
def test_the_sign_flip_test_is_the_share_of_all_signs(tasks):
    weighted = [value / len(task) for task in tasks for value in task]
    observed, far = abs(sum(weighted)), 0
    for signs in itertools.product((1, -1), repeat=len(weighted)):
        far += abs(sum(sign * value for sign, value in zip(signs, weighted, strict=True))) >= observed - 1e-12
    assert sign_flip_p_value(tasks) == pytest.approx(far / 2 ** len(weighted))


def test_a_sign_flip_test_too_large_to_be_exact_is_drawn_and_repeats():
    tasks = [[(i % 7 - 2) / 7 for i in range(499)], [(i % 3 - 1) / 3 for i in range(997)], [1 / 991] * 983]
    assert sign_flip_p_value(tasks, seed=1) == sign_flip_p_value(tasks, seed=1)
    assert 0 < sign_flip_p_value(tasks, seed=1) <= 1e-4


def test_a_drawn_p_value_is_close_to_the_exact_one():
    first, second = [3, -2, 5, 1, 6, -4] * 6, [7, 2, -9, 4, 3, 10] * 6  # sevenths of 997 questions, elevenths of 991
    tasks = [[value / 7 for value in first] + [0.0] * 961, [value / 11 for value in second] + [0.0] * 955]
    others = signed_sums(second)
    far, observed = 0.0, abs(sum(first) / 7 / 997 + sum(second) / 11 / 991)
    for left, chance in signed_sums(first).items():
        for right, other in others.items():
            far += chance * other * (abs(left / 7 / 997 + right / 11 / 991) >= observed - 1e-12)
    assert sign_flip_p_value(tasks, seed=2) == pytest.approx(far, rel=0.1)


def signed_sums(steps):
    chances = {0: 1.0}
    for step in steps:
        following = dict.fromkeys([total + way for total in chances for way in (step, -step)], 0.0)
        for total, chance in chances.items():
            for way in (step, -step):
                following[total + way] += chance / 2
        chances = following
    return chances


def test_compare_of_a_model_with_itself_finds_nothing_and_says_how_little_it_would_see():
    scores = {f"q{i}": float(i % 2) for i in range(20)}
    found = compare(scores, scores)
    assert (found.difference, found.p_value) == (0.0, 1.0)
    assert found.low == -found.high
    assert 0.1 < found.high < 0.3


def test_swapping_two_models_turns_the_difference_round():
    first = {f"q{i}": (i % 4) / 4 for i in range(21)}
    second = {f"q{i}": (i % 3) / 2 for i in range(21)}
    there, back = compare(first, second), compare(second, first)
    assert (there.difference, there.low, there.high) == pytest.approx((-back.difference, -back.high, -back.low))
    assert there.p_value == pytest.approx(back.p_value)


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
    # Newcombe 1998, table II, contrast (a): 56/70 against 48/80 with Wilson's intervals, 0.2 from 0.0524 to 0.3339.
    first = Estimate(48 / 80, 0.4904, 0.7002, 80, "wilson")
    second = Estimate(56 / 70, 0.6918, 0.8769, 70, "wilson")
    found = unpaired_difference(first, second)
    assert (found.value, found.low, found.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=2e-4)
