"""Trajectories read in columns: the facts that tables, plots and the page's index need, without the long texts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from agentdistill.errors import DataError
from agentdistill.evaluate.episodes import EPISODE_COLUMNS, EpisodeFacts
from agentdistill.schema import TRAJECTORIES
from agentdistill.storage import STEP, read_columns
from agentdistill.types import counts_over

_COLUMNS = [
    *EPISODE_COLUMNS,
    *("run_id", "question", "role", "model", "first_thought_prefix"),
    f"{STEP}candidates.list.element.chosen",
]
ANSWER_CHARS = 300  # of an answer in the list; the whole of it stands with the steps


@dataclass(frozen=True, slots=True)
class Position:
    """Where a trajectory is stored, so that its steps can be read later."""

    path: str
    row: int


@dataclass(frozen=True, slots=True)
class Fact:
    """One trajectory without its texts."""

    position: Position
    key: tuple[str, str, int]  # run id, question id, sample index
    question: str
    gold_answers: tuple[str, ...]
    role: str
    model: str
    mode: str
    answer: str | None  # cut at ANSWER_CHARS
    num_candidates: int  # the most that a step chose from; 1 without self-consistent action generation
    has_prefix: bool  # a first-thought prefix was used
    episode: EpisodeFacts


def read_facts(paths: Iterable[str]) -> tuple[list[Fact], list[DataError]]:
    """The facts of every trajectory in the Parquet files, and one error for each file that cannot be read.

    Where a key stands twice, one row counts (`agentdistill.types.counts_over`).
    """
    kept: dict[tuple[Any, ...], Fact] = {}
    broken: list[DataError] = []
    for path in paths:
        try:
            rows = read_columns(path, TRAJECTORIES, _COLUMNS).to_pylist()
            facts = [_fact(path, index, row) for index, row in enumerate(rows)]
        except DataError as error:
            broken.append(error)
            continue
        except (KeyError, ValueError, TypeError) as error:
            broken.append(DataError(f"{path}: holds a row that is no trajectory: {error}"))
            continue
        for fact in facts:
            key = (*fact.key, fact.episode.seed)
            if key not in kept or counts_over(fact.episode.stop_reason, kept[key].episode.stop_reason):
                kept[key] = fact
    return list(kept.values()), broken


def _fact(path: str, index: int, row: dict[str, Any]) -> Fact:
    steps = row["steps"] or []
    answer = row["answer"]
    return Fact(
        position=Position(path, index),
        key=(row["run_id"], row["question_id"], row["sample_index"]),
        question=row["question"],
        gold_answers=tuple(row["gold_answers"] or ()),
        role=row["role"],
        model=row["model"],
        mode=row["mode"],
        answer=answer if answer is None else answer[:ANSWER_CHARS],
        num_candidates=max((len(step["candidates"] or ()) for step in steps), default=0) or 1,
        has_prefix=bool(row["first_thought_prefix"]),
        episode=EpisodeFacts.from_row(row),
    )
