"""Which of a question's trajectories are kept: no duplicates, no near-duplicates, no more than asked for.

Two trajectories are compared by what their agents wrote, thoughts and code, not by what they observed. They are near
duplicates where the runs of five tokens that both contain are a large enough share of all runs in either: the Jaccard
index of their shingles (Broder, On the resemblance and containment of documents, 1997). It is computed exactly, over
32-bit hashes of the runs, as only the few trajectories of one question are compared with each other.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from agentdistill.config import SelectConfig
from agentdistill.types import Trajectory

SHINGLE_TOKENS = 5
_TOKEN = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Survivor:
    """What is remembered of a trajectory that passed every rule of its own."""

    position: int  # of its row in the folder
    question_id: str
    sample_index: int
    num_chars: int  # that the agent wrote
    digest: bytes  # equal for the same turns on the same question
    shingles: array[int]  # hashes, each once; empty where near-duplicates are not asked for


_ORDER: dict[str, Callable[[Survivor], tuple[int, int]]] = {
    "first": lambda survivor: (survivor.sample_index, survivor.position),
    "shortest": lambda survivor: (survivor.num_chars, survivor.sample_index),
    "longest": lambda survivor: (-survivor.num_chars, survivor.sample_index),
}


def in_order(group: Iterable[Survivor], config: SelectConfig) -> list[Survivor]:
    """A question's survivors, the preferred ones first."""
    return sorted(group, key=_ORDER[config.per_question])


def survivor(position: int, trajectory: Trajectory, config: SelectConfig) -> Survivor:
    """What `refuse` needs to know of the trajectory in that row."""
    turns = [step.text for step in trajectory.steps]
    return Survivor(
        position,
        trajectory.question_id,
        trajectory.sample_index,
        sum(map(len, turns)),
        hashlib.sha256("\0".join([trajectory.question, *turns]).encode()).digest(),
        shingles("\n".join(turns)) if config.near_duplicates is not None else array("I"),
    )


def refuse(survivors: Iterable[Survivor], config: SelectConfig) -> dict[int, str]:
    """Why each survivor that is not kept is dropped, by its position.

    A question's trajectories are looked at in the order of `per_question`, so that of two that are alike the preferred
    one is kept.
    """
    questions: dict[str, list[Survivor]] = {}
    for item in survivors:
        questions.setdefault(item.question_id, []).append(item)
    written: set[bytes] = set()
    dropped: dict[int, str] = {}
    for group in questions.values():
        kept: list[set[int]] = []
        for item in in_order(group, config):
            found = set(item.shingles)
            reason = _reason(item, found, kept, written, config)
            if reason is not None:
                dropped[item.position] = reason
            else:
                kept.append(found)
                written.add(item.digest)
    return dropped


def _reason(
    item: Survivor, found: set[int], kept: list[set[int]], written: set[bytes], config: SelectConfig
) -> str | None:
    if config.deduplicate and item.digest in written:
        return "duplicate"
    threshold = config.near_duplicates
    if threshold is not None and any(jaccard(found, other) >= threshold for other in kept):
        return "near-duplicate"
    if config.max_per_question is not None and len(kept) >= config.max_per_question:
        return f"more than {config.max_per_question} for the question"
    return None


def shingles(text: str) -> array[int]:
    """The hashes of the text's runs of five tokens (words, numbers, signs; upper case counts as lower), each once."""
    tokens = _TOKEN.findall(text.lower())
    starts = range(max(1, len(tokens) - SHINGLE_TOKENS + 1))
    return array("I", {zlib.crc32(" ".join(tokens[start : start + SHINGLE_TOKENS]).encode()) for start in starts})


def jaccard(one: set[int], other: set[int]) -> float:
    """The share of both sets' members that both have, in [0, 1]; neither is empty."""
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared)
