"""How sure a figure is: intervals, paired tests, spread over seeds.

Shares are in [0, 1]. Everything random takes a seed and gives the same result again for the same input, in whatever
order the input comes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, stdev
from typing import TYPE_CHECKING

from agentdistill.errors import DataError

if TYPE_CHECKING:
    import numpy as np

CONFIDENCE = 0.95
RESAMPLES = 10_000
_CHUNK = 4_000_000  # draws held at once, so that a bootstrap over many questions stays under 100 MB


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean with its confidence interval."""

    value: float
    low: float
    high: float
    n: int  # independent units: questions
    method: str  # "wilson", "bootstrap" or "newcombe"


@dataclass(frozen=True, slots=True)
class Paired:
    """Two models on the same questions: second minus first."""

    difference: float
    low: float
    high: float
    p_value: float  # two-sided
    n: int  # questions
    only_first: int  # questions that only the first got right (share over 0.5 where there are several samples)
    only_second: int
    test: str  # "mcnemar" or "bootstrap"


@dataclass(frozen=True, slots=True)
class Spread:
    """One figure over several seeds."""

    mean: float
    sd: float | None  # sample standard deviation; None for one seed
    low: float  # the smallest value
    high: float  # the largest
    n: int


def wilson(successes: int, n: int, confidence: float = CONFIDENCE) -> Estimate:
    """The share `successes / n` with its score interval (Wilson 1927).

    Raises ValueError unless 0 <= successes <= n and n > 0.
    """
    if n <= 0 or not 0 <= successes <= n:
        raise ValueError(f"successes={successes} of n={n}: expected 0 <= successes <= n and n > 0")
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share = successes / n
    shrink = 1 + z * z / n
    middle = (share + z * z / (2 * n)) / shrink
    half = z / shrink * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low = 0.0 if successes == 0 else middle - half
    high = 1.0 if successes == n else middle + half
    return Estimate(share, low, high, n, "wilson")


def bootstrap(
    strata: Sequence[Sequence[float]],
    seed: int = 0,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
) -> Estimate:
    """The unweighted average over strata (tasks) of the mean over questions, with its percentile interval.

    `strata` holds, for each task, one value a question. Questions are drawn with replacement within their task
    (Efron 1979; stratified). Raises ValueError for no strata or an empty one.
    """
    draws, value = _resampled_means(strata, seed, resamples)
    low, high = _percentiles(draws, confidence)
    return Estimate(value, low, high, sum(len(stratum) for stratum in strata), "bootstrap")


def mcnemar_exact(only_first: int, only_second: int) -> float:
    """The two-sided exact p-value of McNemar's test from the two counts of discordant questions."""
    discordant = only_first + only_second
    if discordant == 0:
        return 1.0
    term = tail = 1
    for i in range(min(only_first, only_second)):
        term = term * (discordant - i) // (i + 1)
        tail += term
    return min(1.0, 2 * tail / (1 << discordant))  # integers of any size: Python rounds their quotient correctly


def compare(
    first: Mapping[str, float],
    second: Mapping[str, float],
    names: tuple[str, str] = ("first", "second"),
    seed: int = 0,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
) -> Paired:
    """Second minus first on the same questions: question id -> score in [0, 1].

    The interval is the paired bootstrap's. The p-value is McNemar's exact one where every score is 0 or 1, else the
    bootstrap's share of resamples beyond zero, doubled. Raises DataError where the questions differ.
    """
    _same_questions(first, second, names)
    ids = sorted(first)
    differences = [second[i] - first[i] for i in ids]
    draws, value = _resampled_means([differences], seed, resamples)
    low, high = _percentiles(draws, confidence)
    only_first = sum(first[i] > 0.5 >= second[i] for i in ids)
    only_second = sum(second[i] > 0.5 >= first[i] for i in ids)
    if all(score in (0.0, 1.0) for scores in (first, second) for score in scores.values()):
        return Paired(
            value, low, high, mcnemar_exact(only_first, only_second), len(ids), only_first, only_second, "mcnemar"
        )
    return Paired(value, low, high, _beyond_zero(draws), len(ids), only_first, only_second, "bootstrap")


def compare_average(
    first: Mapping[str, Mapping[str, float]],
    second: Mapping[str, Mapping[str, float]],
    names: tuple[str, str] = ("first", "second"),
    seed: int = 0,
) -> Paired:
    """Second minus first in the unweighted average over tasks: task -> question id -> score.

    One task is compared as `compare` does; several by a paired bootstrap within each task. Raises DataError where
    tasks or questions differ.
    """
    if sorted(first) != sorted(second):
        raise DataError(
            f"{names[0]} and {names[1]} were scored on different tasks ({', '.join(first) or 'none'} against "
            f"{', '.join(second) or 'none'}); expected the same tasks in both"
        )
    parts = [compare(first[task], second[task], names, seed) for task in sorted(first)]
    if len(parts) == 1:
        return parts[0]
    strata = [[second[task][i] - first[task][i] for i in sorted(first[task])] for task in sorted(first)]
    draws, value = _resampled_means(strata, seed, RESAMPLES)
    low, high = _percentiles(draws, CONFIDENCE)
    only_first, only_second = (sum(getattr(part, side) for part in parts) for side in ("only_first", "only_second"))
    n = sum(part.n for part in parts)
    return Paired(value, low, high, _beyond_zero(draws), n, only_first, only_second, "bootstrap")


def unpaired_difference(first: Estimate, second: Estimate) -> Estimate:
    """Second minus first for independent samples, with Newcombe's interval from the two intervals (1998, method 10)."""
    value = second.value - first.value
    low = value - math.hypot(second.value - second.low, first.high - first.value)
    high = value + math.hypot(second.high - second.value, first.value - first.low)
    return Estimate(value, low, high, first.n + second.n, "newcombe")


def over_seeds(values: Sequence[float]) -> Spread:
    """Mean and spread of one figure, one value a seed. Raises ValueError for none."""
    if not values:
        raise ValueError("no seed to take the spread of: expected at least one value")
    sd = stdev(values) if len(values) > 1 else None
    return Spread(fmean(values), sd, min(values), max(values), len(values))


def question_scores(pairs: Iterable[tuple[str, bool]]) -> dict[str, float]:
    """The mean over samples and seeds of (question id, correct) pairs: question id -> share correct."""
    totals: dict[str, list[int]] = {}
    for question_id, correct in pairs:
        total = totals.setdefault(question_id, [0, 0])
        total[0] += correct
        total[1] += 1
    return {question_id: right / count for question_id, (right, count) in sorted(totals.items())}


def accuracy(scores: Mapping[str, float], seed: int = 0) -> Estimate:
    """Accuracy over questions: Wilson's interval where every score is 0 or 1, else a bootstrap over questions."""
    values = [scores[question_id] for question_id in sorted(scores)]
    if all(value in (0.0, 1.0) for value in values):
        return wilson(round(sum(values)), len(values))
    return bootstrap([values], seed)


def _same_questions(first: Mapping[str, float], second: Mapping[str, float], names: tuple[str, str]) -> None:
    if not first or not second:
        empty = names[0] if not first else names[1]
        raise DataError(f"nothing to compare: {empty} has no graded question; expected the same questions in both")
    missing = sorted(set(first) ^ set(second))
    if missing:
        owner = names[0] if missing[0] in first else names[1]
        raise DataError(
            f"{names[0]} and {names[1]} were scored on different questions ({len(missing)} stand in only one of them, "
            f"such as {missing[0]!r}, only in {owner}); expected the same questions in both"
        )


def _resampled_means(strata: Sequence[Sequence[float]], seed: int, resamples: int) -> tuple[np.ndarray, float]:
    import numpy as np

    if not strata or not all(len(stratum) for stratum in strata):
        raise ValueError("nothing to resample: expected at least one question in each task")
    rng = np.random.default_rng(seed)
    draws = np.zeros(resamples)
    value = 0.0
    for stratum in strata:
        # Scores take few values, so drawing how often each is picked is the same bootstrap at a fraction of the work.
        levels, counts = np.unique(np.asarray(stratum, dtype=np.float64), return_counts=True)
        shares = counts / len(stratum)
        value += float(levels @ shares) / len(strata)
        rows = max(1, _CHUNK // len(levels))
        for start in range(0, resamples, rows):
            stop = min(start + rows, resamples)
            picked = rng.multinomial(len(stratum), shares, size=stop - start)
            draws[start:stop] += picked @ levels / len(stratum) / len(strata)
    return draws, value


def _beyond_zero(draws: np.ndarray) -> float:
    """Twice the share of resampled differences on the far side of zero; never 0, as resamples are few."""
    beyond = min(int((draws <= 0).sum()), int((draws >= 0).sum()))
    return min(1.0, 2 * (beyond + 1) / (len(draws) + 1))


def _percentiles(draws: np.ndarray, confidence: float) -> tuple[float, float]:
    import numpy as np

    low, high = np.quantile(draws, [0.5 - confidence / 2, 0.5 + confidence / 2])
    return float(low), float(high)
