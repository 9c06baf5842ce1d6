"""How often a 95% interval holds the truth, measured: from 6 to 500 questions, from a share of 0 to one of 1."""

from collections import Counter

import numpy as np
import pytest

from agentdistill.evaluate.permutation import sign_flip_p_value
from agentdistill.evaluate.statistics import average_over_tasks, mean_share, paired_difference

DRAWS = 600
#: Three standard errors of that many draws below 0.95.
LEAST = 0.95 - 3 * (0.95 * 0.05 / DRAWS) ** 0.5
SIZES = [6, 20, 100, 500]
SHARES = [0.0, 0.05, 0.5, 1.0]


def coverage(drawn, truth, estimate):
    """The share of rows of `drawn` ([DRAWS, questions], or a tuple of such, one a task) whose interval holds it."""
    tasks = drawn if isinstance(drawn, tuple) else (drawn,)
    rows = Counter(zip(*(map(tuple, np.sort(task, axis=1).round(9).tolist()) for task in tasks), strict=True))
    held = 0
    for row, times in rows.items():
        found = estimate(*row)
        held += times * (found.low - 1e-12 <= truth <= found.high + 1e-12)
    return held / rows.total()


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("n", SIZES)
def test_accuracy_covers_in_every_case_as_it_says(n, share):
    """Without drawing: the sum of the chances of all counts whose interval holds the share."""
    from scipy.stats import binom

    found = [mean_share([1.0] * count + [0.0] * (n - count)) for count in range(n + 1)]
    chances = binom.pmf(np.arange(n + 1), n, share)
    assert sum(chance for chance, item in zip(chances, found, strict=True) if item.low <= share <= item.high) >= 0.95


@pytest.mark.parametrize("alike", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("n", SIZES)
def test_accuracy_over_seeds_covers_however_alike_the_samples_of_a_question_are(n, share, alike, rng):
    if alike == 1.0:
        drawn = rng.binomial(1, share, (DRAWS, n)).astype(float)
    else:
        mixed = alike > 0 and 0 < share < 1
        odds = (1 - alike) / alike if mixed else 0.0
        hardness = rng.beta(share * odds, (1 - share) * odds, (DRAWS, n)) if mixed else share
        drawn = rng.binomial(3, hardness, (DRAWS, n)) / 3
    assert coverage(drawn, share, mean_share) >= LEAST


@pytest.mark.parametrize("other", [0.0, 0.05, 0.5])
@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("n", SIZES)
def test_averages_over_tasks_cover(n, share, other, rng):
    drawn = (rng.binomial(1, share, (DRAWS, n)) * 1.0, rng.binomial(1, other, (DRAWS, 2 * n)) * 1.0)
    found = coverage(
        drawn, (share + other) / 2, lambda *tasks: average_over_tasks([mean_share(task) for task in tasks])
    )
    assert found >= LEAST


@pytest.mark.parametrize("samples", [1, 2])
@pytest.mark.parametrize("before", SHARES)
@pytest.mark.parametrize("after", SHARES)
@pytest.mark.parametrize("n", SIZES)
def test_paired_differences_cover(n, before, after, samples, rng):
    first, second = (rng.binomial(samples, share, (DRAWS, n)) / samples for share in (before, after))
    assert coverage(second - first, after - before, paired_difference) >= LEAST


@pytest.mark.parametrize("gained", [0.05, 0.5, 0.75])
@pytest.mark.parametrize("n", SIZES)
def test_paired_differences_cover_where_every_question_differs(n, gained, rng):
    drawn = 2.0 * rng.binomial(1, gained, (DRAWS, n)) - 1
    assert coverage(drawn, 2 * gained - 1, paired_difference) >= LEAST


@pytest.mark.parametrize("share", [0.05, 0.5])
@pytest.mark.parametrize("n", [6, 20, 100])
def test_equal_models_are_told_apart_no_more_often_than_the_level_says(n, share, rng):
    first, second = (rng.binomial(2, share, (DRAWS, n)) / 2 for _ in range(2))
    rejected = sum(sign_flip_p_value([row.tolist()]) <= 0.05 for row in second - first)
    assert rejected / DRAWS <= 0.05 + 3 * (0.95 * 0.05 / DRAWS) ** 0.5
