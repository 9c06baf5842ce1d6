"""The sign-flip test: could differences as large as these come from swapping two equal models at random?"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

_MOST_SAMPLES = 1_000  # of a question: differences are multiples of a share of at most so many
_EXACT_WORK = 50_000_000  # additions; what takes more is drawn
_MOST_ENUMERATED = 18  # questions that differ, of which all assignments of signs are tried
_NUM_DRAWS = 99_999


def sign_flip_p_value(differences: Sequence[Sequence[float]], seed: int = 0) -> float:
    """The two-sided p-value of the unweighted average over tasks of the mean difference over questions.

    `differences` holds, for each task, second minus first of each question. Were the two models alike, each difference
    could as well have the other sign, and the p-value is the share of all assignments of signs whose average is at
    least as far from zero (the randomization test of Fisher, "The design of experiments", 1935, section 21). It is
    never below 2 / 2**(number of questions that differ). Computed exactly where the values lie on a grid of moderate
    size; else from 99,999 draws with the seed, counting the observed one as drawn (Phipson and Smyth, "Permutation
    p-values should never be zero", Statistical Applications in Genetics and Molecular Biology 2010).
    """
    fractions = [[Fraction(value).limit_denominator(_MOST_SAMPLES) for value in task] for task in differences]
    weighted = [value / len(task) for task in fractions for value in task if value]
    if not weighted:
        return 1.0
    scale = math.lcm(*(value.denominator for value in weighted))
    steps = [int(value * scale) for value in weighted]
    if sum(map(abs, steps)) * len(steps) <= _EXACT_WORK:
        return _exact(steps)
    return _enumerated(steps) if len(steps) <= _MOST_ENUMERATED else _drawn(steps, seed)


def _exact(steps: Sequence[int]) -> float:
    """The distribution of the sum over all signs, one step after the other (Pagano and Tritchler 1983)."""
    import numpy as np

    shared = math.gcd(*steps)
    sizes = sorted(abs(step) // shared for step in steps)
    chances = np.ones(1)  # of -reach, -reach + 2, ..., reach
    for size in sizes:
        longer = np.zeros(len(chances) + size)
        longer[: len(chances)] += chances / 2
        longer[size:] += chances / 2
        chances = longer
    return min(1.0, 2 * float(chances[: _beyond(steps, shared, sizes)].sum())) if sum(steps) else 1.0


def _beyond(steps: Sequence[int], shared: int, sizes: Sequence[int]) -> int:
    """How many of the sums in steps of two from the smallest are at most minus the observed one's size."""
    return (sum(sizes) - abs(sum(steps)) // shared) // 2 + 1


def _enumerated(steps: Sequence[int]) -> float:
    sums = [0]
    for step in steps:
        sums = [total + signed for total in sums for signed in (step, -step)]
    observed = abs(sum(steps))
    return sum(abs(total) >= observed for total in sums) / len(sums)


def _drawn(steps: Sequence[int], seed: int) -> float:
    import numpy as np

    rng = np.random.default_rng(seed)
    counts = sorted(Counter(map(abs, steps)).items())
    sums: np.ndarray = np.zeros(_NUM_DRAWS)
    for size, count in counts:
        sums += (2 * rng.binomial(count, 0.5, _NUM_DRAWS) - count) * float(size)
    observed = abs(sum(steps)) * (1 - 1e-12)
    return (int((np.abs(sums) >= observed).sum()) + 1) / (_NUM_DRAWS + 1)
