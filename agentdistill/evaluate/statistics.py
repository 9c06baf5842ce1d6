"""How sure a figure is: intervals, paired tests, spread over seeds.

Shares are in [0, 1]. A question is the unit whatever the number of its samples: several samples of one question say
less than as many questions. No interval has a width of zero, however uniform the scores are, and no test finds more
than its questions can tell. The same input gives the same result, in whatever order it comes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from statistics import NormalDist, fmean, stdev

from agentdistill.errors import DataError
from agentdistill.evaluate.permutation import sign_flip_p_value

CONFIDENCE = 0.95
#: Of samples a question; a finer share comes from more samples than any evaluation takes, or is no count at all.
_MOST_SAMPLES = 1_000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean with its confidence interval."""

    value: float
    low: float
    high: float
    n: int  # independent units: questions
    method: str  # "exact", "effective", "average" or "unpaired"


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
    test: str  # "mcnemar" or "sign-flip"


@dataclass(frozen=True, slots=True)
class Spread:
    """One figure over several seeds."""

    mean: float
    sd: float | None  # sample standard deviation; None for one seed
    low: float  # the smallest value
    high: float  # the largest
    n: int


def exact_share(successes: float, n: float, confidence: float = CONFIDENCE) -> Estimate:
    """The share `successes / n` with its exact interval, which covers at least as often as it says (Clopper and
    Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial", Biometrika 1934).

    Raises ValueError unless 0 <= successes <= n and n > 0.
    """
    if not n > 0 or not 0 <= successes <= n:
        raise ValueError(f"successes={successes} of n={n}: expected 0 <= successes <= n and n > 0")
    low, high = _clopper_pearson(successes, n, confidence)
    return Estimate(successes / n, low, high, round(n), "exact")


def mean_share(scores: Sequence[float], confidence: float = CONFIDENCE) -> Estimate:
    """The mean of scores in [0, 1], one a question, with its interval.

    Scores of 0 and 1 have the exact one. Shares over several samples have it at the number of independent answers that
    their spread amounts to (Korn and Graubard, "Confidence intervals for proportions with small expected number of
    positive counts estimated from survey data", Survey Methodology 1998): at least the number
    of questions and at most that of samples. Raises ValueError for none, or one outside [0, 1].
    """
    if not scores or not all(0 <= score <= 1 for score in scores):
        raise ValueError(f"scores {list(scores)[:3]}: expected at least one, each from 0 to 1")
    n, ordered = len(scores), sorted(scores)
    if all(score in (0.0, 1.0) for score in ordered):
        return exact_share(round(sum(ordered)), n, confidence)
    mean = math.fsum(ordered) / n
    size = _effective_size(ordered, mean, confidence)
    low, high = _clopper_pearson(mean * size, size, confidence)
    return Estimate(mean, low, high, n, "effective")


def average_over_tasks(parts: Sequence[Estimate]) -> Estimate:
    """The unweighted average of independent estimates, one a task; of one task, that one.

    Each side of the interval is the root of the sum of squares of the parts' own (variance estimates recovery: Zou and
    Donner, "Construction of confidence limits about effect measures: a general approach", Statistics in Medicine 2008).
    Raises ValueError for none.
    """
    if not parts:
        raise ValueError("no task to average over: expected at least one estimate")
    if len(parts) == 1:
        return parts[0]
    value = fmean(part.value for part in parts)
    low = value - math.hypot(*(part.value - part.low for part in parts)) / len(parts)
    high = value + math.hypot(*(part.high - part.value for part in parts)) / len(parts)
    return Estimate(value, low, high, sum(part.n for part in parts), "average")


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


def paired_difference(differences: Sequence[float], confidence: float = CONFIDENCE) -> Estimate:
    """The mean of differences in [-1, 1], one a question, with its interval.

    What was gained and what was lost have an interval each, as `mean_share`; the two are put together as Newcombe does
    for paired shares ("Improved confidence intervals for the difference between binomial proportions based on paired
    data", Statistics in Medicine 1998, method 10), with the correlation of gains and losses. Where no question differs
    the interval says how many could have. Raises ValueError for none, or one outside [-1, 1].
    """
    if not differences or not all(-1 <= difference <= 1 for difference in differences):
        raise ValueError(f"differences {list(differences)[:3]}: expected at least one, each from -1 to 1")
    gains = mean_share([max(0.0, difference) for difference in differences], confidence)
    losses = mean_share([max(0.0, -difference) for difference in differences], confidence)
    value, correlation = gains.value - losses.value, _correlation(differences)
    low = value - _root_of_squares(gains.value - gains.low, losses.high - losses.value, correlation)
    high = value + _root_of_squares(gains.high - gains.value, losses.value - losses.low, correlation)
    return Estimate(value, max(-1.0, low), min(1.0, high), len(differences), "paired")


def compare(
    first: Mapping[str, float],
    second: Mapping[str, float],
    names: tuple[str, str] = ("first", "second"),
    seed: int = 0,
) -> Paired:
    """Second minus first on the same questions: question id -> score in [0, 1].

    The interval is that of `paired_difference`, the p-value that of `sign_flip_p_value`, which is McNemar's exact one
    where every score is 0 or 1. Raises DataError where the questions differ.
    """
    return compare_average({"": first}, {"": second}, names, seed)


def compare_average(
    first: Mapping[str, Mapping[str, float]],
    second: Mapping[str, Mapping[str, float]],
    names: tuple[str, str] = ("first", "second"),
    seed: int = 0,
) -> Paired:
    """Second minus first in the unweighted average over tasks: task -> question id -> score.

    One task is compared as `compare` does. The interval of several is that of `average_over_tasks`, their p-value that
    of one sign-flip test over the questions of all. Raises DataError where tasks or questions differ.
    """
    if sorted(first) != sorted(second):
        raise DataError(
            f"{names[0]} and {names[1]} were scored on different tasks ({', '.join(first) or 'none'} against "
            f"{', '.join(second) or 'none'}); expected the same tasks in both"
        )
    for task in first:
        _same_questions(first[task], second[task], names)
    pairs = {task: [(first[task][i], second[task][i]) for i in sorted(first[task])] for task in sorted(first)}
    differences = [[after - before for before, after in group] for group in pairs.values()]
    every = [pair for group in pairs.values() for pair in group]
    only_first = sum(before > 0.5 >= after for before, after in every)
    only_second = sum(after > 0.5 >= before for before, after in every)
    found = average_over_tasks([paired_difference(group) for group in differences])
    if len(pairs) == 1 and all(score in (0.0, 1.0) for pair in every for score in pair):
        test, p_value = "mcnemar", mcnemar_exact(only_first, only_second)
    else:
        test, p_value = "sign-flip", sign_flip_p_value(differences, seed)
    return Paired(found.value, found.low, found.high, p_value, len(every), only_first, only_second, test)


def unpaired_difference(first: Estimate, second: Estimate) -> Estimate:
    """Second minus first for independent samples, its interval put together from theirs as Newcombe does ("Interval
    estimation for the difference between independent proportions", Statistics in Medicine 1998, method 10).
    """
    value = second.value - first.value
    low = value - math.hypot(second.value - second.low, first.high - first.value)
    high = value + math.hypot(second.high - second.value, first.value - first.low)
    return Estimate(value, low, high, first.n + second.n, "unpaired")


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


def accuracy(scores: Mapping[str, float]) -> Estimate:
    """Accuracy over questions (question id -> score in [0, 1]), as `mean_share`."""
    return mean_share(list(scores.values()))


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


def _clopper_pearson(successes: float, n: float, confidence: float) -> tuple[float, float]:
    from scipy.special import betaincinv

    tail = 0.5 - confidence / 2
    low = 0.0 if successes <= 0 else float(betaincinv(successes, n - successes + 1, tail))
    high = 1.0 if successes >= n else float(betaincinv(successes + 1, n - successes, 1 - tail))
    return low, high


def _effective_size(scores: Sequence[float], mean: float, confidence: float) -> float:
    """How many independent answers a mean of shares is worth, less what a variance of few questions leaves unsure.

    At least the number of questions: no spread over questions is wider than that of scores of 0 and 1.
    """
    from scipy.special import stdtrit

    n = len(scores)
    most = float(n * _num_samples(scores))
    spread = math.fsum((score - mean) ** 2 for score in scores)
    if n < 2 or spread == 0:
        return float(n)
    quantile = 0.5 + confidence / 2
    unsure = float(stdtrit(n - 1, quantile)) / NormalDist().inv_cdf(quantile)
    return min(most, max(float(n), mean * (1 - mean) * n * (n - 1) / spread / unsure**2))


def _num_samples(scores: Sequence[float]) -> int:
    """The least number of samples a question of which all scores can be shares."""
    return math.lcm(*(Fraction(score).limit_denominator(_MOST_SAMPLES).denominator for score in set(scores)))


def _correlation(differences: Sequence[float]) -> float:
    """Of gains with losses, in [-1, 0]: no question has both. Half an observation of each outcome is added, so that
    few questions do not pass for certain ones.
    """
    n = len(differences) + 1.5
    gain, loss = ((math.fsum(max(0.0, sign * value) for value in differences) + 0.5) / n for sign in (1, -1))
    squares = (math.fsum(value**2 for value in differences if sign * value > 0) + 0.5 for sign in (1, -1))
    gain_spread, loss_spread = (square / n - mean**2 for square, mean in zip(squares, (gain, loss), strict=True))
    return max(-1.0, -gain * loss / math.sqrt(gain_spread * loss_spread))


def _root_of_squares(first: float, second: float, correlation: float) -> float:
    return math.sqrt(max(0.0, first**2 + second**2 - 2 * correlation * first * second))
