"""Self-consistent action generation (arXiv 2505.17612, section 4.2): which of N candidate actions to keep.

Candidates that fail to parse, raise, or hit a limit are dropped. The others are grouped by what they did, in a
canonical form; one of the largest group is kept. Ties between groups, and the choice where all failed, are random with
the episode's seed.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

from agentdistill.types import Outcome

_NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:,\d{3})*(?:\.\d+)?(?:[eE][-+]?\d+)?(?![\w])")
_LATEX_NOISE = re.compile(r"\\(?:left|right|,|;|!|:|quad|displaystyle)(?![A-Za-z])")
_BOXED = re.compile(r"\\boxed\s*\{((?:[^{}]|\{[^{}]*\})*)\}")
_SIGNIFICANT_DIGITS = 10
_LONGEST_NUMBER = 400  # digits; a longer one is compared as it is written


def outcome_key(outcome: Outcome | None) -> str:
    """The canonical form of what a candidate did: equal keys agree. Empty where it failed."""
    if outcome is None or outcome.error is not None or outcome.limit is not None:
        return ""
    if outcome.is_final:
        return "final:" + canonical(outcome.final_answer or "")
    return "printed:" + canonical("\n".join([outcome.stdout, outcome.value or ""]))


def canonical(text: str) -> str:
    """Text in which different spellings of the same numbers, LaTeX and spacing are the same.

    Idempotent: what one pass uncovers (a box in a box, a number without its dollar signs) the next one takes.
    """
    for _ in range(len(text)):
        simpler = _simplify(text)
        if simpler == text:
            break
        text = simpler
    return text


def _simplify(text: str) -> str:
    text = _BOXED.sub(r"\1", text)
    text = text.replace("\\dfrac", "\\frac").replace("\\tfrac", "\\frac").replace("$", "")
    text = _LATEX_NOISE.sub("", text)
    text = _NUMBER.sub(lambda match: _number(match.group()), text)
    return " ".join(text.split())


def _number(text: str) -> str:
    try:
        value = Decimal(text.replace(",", ""))
    except InvalidOperation:
        return text
    if abs(value.adjusted()) > _LONGEST_NUMBER:
        return text.lower()
    if value == 0:
        return "0"
    if value != value.to_integral_value():
        value = Decimal(f"{value:.{_SIGNIFICANT_DIGITS}g}")
    # Integers stay exact whatever their length; normalize would round them to the context's precision.
    return f"{value.to_integral_value():f}" if value == value.to_integral_value() else f"{value.normalize():f}"


def choose(keys: Sequence[str], rng: random.Random) -> int:
    """The index of the candidate to keep, given `outcome_key` of each; `keys` is not empty."""
    succeeded = [key for key in keys if key]
    if not succeeded:
        return rng.randrange(len(keys))
    counts = Counter(succeeded)
    largest = max(counts.values())
    # Sorted, so that the choice depends on the seed alone and not on the order of sampling.
    winner = rng.choice(sorted(key for key, count in counts.items() if count == largest))
    return rng.choice([index for index, key in enumerate(keys) if key == winner])
