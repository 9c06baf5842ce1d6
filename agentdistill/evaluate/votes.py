"""Whole episodes that vote on the answer of their question (More Agents Is All You Need, arXiv 2402.05120).

The episodes are stored one by one; the vote is counted when they are read. Two answers are the same vote where they are
equal in the canonical form that self-consistent action generation uses too.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from agentdistill.agent import choose
from agentdistill.evaluate.episodes import EpisodeFacts

#: Seeds of neighbouring evaluations lie so far apart: sample i of an episode has its evaluation's seed + i.
SEED_STRIDE = 1_000

_SUMMED = (
    *("num_steps", "num_prompt_tokens", "num_completion_tokens", "num_tool_calls", "num_invalid_actions"),
    *("num_execution_errors", "duration_s"),
)


_Key = tuple[str, str, int | None]  # task, question id, seed of the evaluation


@dataclass(frozen=True, slots=True)
class Ballot:
    """What became of one episode's vote."""

    agree: int  # episodes with the same answer, itself included; 0 where it did not vote
    voters: int  # episodes that voted on the question
    taken: bool  # its answer is the one that counts, in its wording


def count_votes(episodes: Iterable[EpisodeFacts]) -> list[EpisodeFacts]:
    """One record for each question (and seed) that was voted on, in the order of its first episode.

    It has the verdict on the answer that most episodes gave and the sums of what all of them took. Ties are broken at
    random, by seed and question. Episodes without an answer do not vote unless no other is there; those that the system
    failed never do. Episodes that do not vote at all are returned as they are.
    """
    groups: dict[_Key, list[EpisodeFacts]] = {}
    counted: list[EpisodeFacts | _Key] = []
    for item in episodes:
        if not item.votes:
            counted.append(item)
            continue
        key = _key(item)
        if key not in groups:
            counted.append(key)
        groups.setdefault(key, []).append(item)
    return [item if isinstance(item, EpisodeFacts) else _count(item, groups[item]) for item in counted]


def ballots(episodes: Sequence[EpisodeFacts]) -> list[Ballot | None]:
    """For each episode what became of its vote; None for one that does not vote."""
    groups: dict[_Key, list[EpisodeFacts]] = {}
    for item in episodes:
        if item.votes:
            groups.setdefault(_key(item), []).append(item)
    results = {
        key: (_elect(key, group), Counter(item.ballot for item in _voters(group))) for key, group in groups.items()
    }
    found: list[Ballot | None] = []
    for item in episodes:
        if not item.votes:
            found.append(None)
            continue
        chosen, counts = results[_key(item)]
        agree = 0 if item.stop_reason.is_system else counts[item.ballot]
        found.append(Ballot(agree, counts.total(), item is chosen))
    return found


def _key(item: EpisodeFacts) -> _Key:
    return (item.task, item.question_id, None if item.seed is None else item.seed - item.sample_index)


def _voters(group: Sequence[EpisodeFacts]) -> list[EpisodeFacts]:
    """Those that vote, in an order that does not depend on how they are stored."""
    finished = [item for item in group if not item.stop_reason.is_system]
    voters = [item for item in finished if item.ballot] or finished
    return sorted(voters, key=lambda item: item.sample_index)


def _elect(key: _Key, group: Sequence[EpisodeFacts]) -> EpisodeFacts | None:
    """The episode whose answer counts; None where the system failed all."""
    voters = _voters(group)
    if not voters:
        return None
    _, question_id, seed = key
    return voters[choose([item.ballot for item in voters], random.Random(f"{seed}:{question_id}"))]


def _count(key: _Key, group: Sequence[EpisodeFacts]) -> EpisodeFacts:
    chosen, seed = _elect(key, group), key[2]
    if chosen is None:
        return replace(group[0], seed=seed, sample_index=0, num_episodes=0)
    finished = [item for item in group if not item.stop_reason.is_system]
    # Where a judge gave no verdict on the chosen wording, one on another wording of the same answer stands for it.
    same = [chosen, *(item for item in finished if item.ballot == chosen.ballot)]
    graded = next((item for item in same if item.correct is not None), chosen)
    sums = {name: sum(getattr(item, name) for item in finished) for name in _SUMMED}
    return replace(
        chosen, correct=graded.correct, seed=seed, sample_index=0, num_episodes=len(finished), exact=None, **sums
    )


def episodes_for(budget: float, price: float, at_most: int) -> int:
    """How many whole episodes a question cost as many tokens as `budget`, at `price` tokens each: the nearest number.

    At least 1 and at most `at_most`. Raises ValueError where budget or price is not positive.
    """
    if budget <= 0 or price <= 0:
        raise ValueError(f"budget={budget:g} and price={price:g} tokens, expected both above 0")
    return max(1, min(at_most, round(budget / price)))
