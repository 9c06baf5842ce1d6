"""Self-consistent action generation (arXiv 2505.17612, section 4.2): which of N candidate actions to keep.

Candidates that fail to parse, raise, or hit a limit are dropped. The others are grouped by what they did, in a
canonical form; one of the largest group is kept. Ties between groups, and the choice where all failed, are random with
the episode's seed.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from agentdistill.spelling import join_rows, plain
from agentdistill.types import Outcome

MAX_PASSES = 6
MAX_CHARS = 20_000  # of a text whose numbers and LaTeX are read; in a longer one only spacing carries no meaning

_NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:,\d{3})*(?:\.\d*)?(?:[eE][-+]?\d+)?(?![\w])")
_LATEX_NOISE = re.compile(r"\\(?:left|right|,|;|!|:|quad|displaystyle)(?![A-Za-z])")
_BRACE = re.compile(r"\\boxed\s*\{|\\?[{}]")
_SIGNIFICANT_DIGITS = 10
_LONGEST_NUMBER = 100  # digits; a longer one is compared as it is written


def outcome_key(outcome: Outcome | None) -> str:
    """The canonical form of what a candidate did: equal keys agree. Empty where it failed."""
    if outcome is None or outcome.error is not None or outcome.limit is not None:
        return ""
    if outcome.is_final:
        return "final:" + canonical(outcome.final_answer or "")
    return "printed:" + canonical("\n".join([outcome.stdout, outcome.value or ""]))


@lru_cache(maxsize=128)
def canonical(text: str) -> str:
    """Text in which different spellings of the same values, LaTeX and spacing are the same.

    Idempotent, and linear in the length of the text: a text that passes go on changing, as no answer does, and one
    longer than `MAX_CHARS` are left as they are but for their spacing. Equal texts are read once.
    """
    *_, last = simplifications(text)
    return last


def simplifications(text: str) -> Iterator[str]:
    """The text after each pass; the last is the canonical form. What one pass uncovers (a number without its dollar
    signs) the next one takes; there are at most `MAX_PASSES`.
    """
    spaced = found = " ".join(join_rows(text).split())
    yield spaced
    if len(spaced) > MAX_CHARS:
        return
    for _ in range(MAX_PASSES):
        before, found = found, _simplify(found)
        if found == before:
            return
        yield found
    yield spaced


def _simplify(text: str) -> str:
    text = _unboxed(text).replace("\\dfrac", "\\frac").replace("\\tfrac", "\\frac").replace("$", "")
    text = plain(_LATEX_NOISE.sub("", text))
    text = _NUMBER.sub(lambda match: _number(match.group()), text)
    return " ".join(text.split())


def _unboxed(text: str) -> str:
    """Without the boxes that are closed, however deep they lie in one another."""
    opened: list[re.Match[str]] = []
    dropped: list[re.Match[str]] = []
    for brace in _BRACE.finditer(text):
        if brace[0] in ("\\{", "\\}"):
            continue
        if brace[0] != "}":
            opened.append(brace)
        elif opened and (start := opened.pop())[0] != "{":
            dropped += (start, brace)
    parts, place = [], 0
    for brace in sorted(dropped, key=re.Match.start):
        parts.append(text[place : brace.start()])
        place = brace.end()
    return "".join([*parts, text[place:]])


def _number(text: str) -> str:
    if text.isdecimal() and text.isascii():
        return text.lstrip("0") or "0"
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
