"""What figures need to know of an episode, read in columns: thousands of them without their texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agentdistill import storage
from agentdistill.agent import VOTE_PREFIX, canonical
from agentdistill.grading.factual import exact_match, factual_answer
from agentdistill.grading.judge import JUDGE_PREFIX
from agentdistill.schema import TRAJECTORIES, trajectory_to_row
from agentdistill.storage import STEP, read_columns
from agentdistill.types import INVALID_ACTIONS, ActionError, StopReason, Trajectory, rows_that_count

EXECUTION_ERRORS = frozenset({ActionError.EXECUTION, ActionError.LIMIT})

#: The columns of a stored trajectory that `EpisodeFacts.from_row` reads.
EPISODE_COLUMNS = [
    *("question_id", "sample_index", "task", "mode", "answer", "gold_answers", "stop_reason", "grade", "seed"),
    *("duration_s", "num_prompt_tokens", "num_completion_tokens", "num_tool_calls", f"{STEP}error"),
]


@dataclass(frozen=True, slots=True)
class EpisodeFacts:
    """One episode without its texts; or, after a vote, what the episodes of one question came to together."""

    question_id: str
    task: str
    correct: bool | None  # None: not graded
    stop_reason: StopReason
    num_steps: int
    num_prompt_tokens: int
    num_completion_tokens: int
    num_tool_calls: int
    num_invalid_actions: int
    num_execution_errors: int  # the code raised or hit a limit
    duration_s: float
    seed: int | None = None
    sample_index: int = 0
    mode: str = "agent"
    ballot: str = ""  # the answer in its canonical form, of an episode that votes; empty where there is none
    exact: bool | None = None  # what exact match says, where a judge decided; else None
    num_episodes: int = 1  # that voted

    @property
    def votes(self) -> bool:
        """Whether it is one of several episodes that vote on the answer of their question."""
        return self.mode.startswith(VOTE_PREFIX)

    @classmethod
    def of(cls, trajectory: Trajectory) -> EpisodeFacts:
        return cls.from_row(trajectory_to_row(trajectory))

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> EpisodeFacts:
        """Facts from `EPISODE_COLUMNS`. Raises KeyError, ValueError or TypeError where the row is no trajectory."""
        steps, grade, answer = row["steps"] or [], row["grade"], row["answer"] or ""
        errors = [ActionError(step["error"]) for step in steps if step["error"] is not None]
        judged = grade is not None and str(grade["grader"]).startswith(JUDGE_PREFIX)
        return cls(
            question_id=row["question_id"],
            task=row["task"],
            correct=None if grade is None else bool(grade["correct"]),
            stop_reason=StopReason(row["stop_reason"]),
            num_steps=len(steps),
            num_prompt_tokens=row["num_prompt_tokens"] or 0,
            num_completion_tokens=row["num_completion_tokens"] or 0,
            num_tool_calls=row["num_tool_calls"] or 0,
            num_invalid_actions=sum(error in INVALID_ACTIONS for error in errors),
            num_execution_errors=sum(error in EXECUTION_ERRORS for error in errors),
            duration_s=row["duration_s"] or 0.0,
            seed=row["seed"],
            sample_index=row["sample_index"],
            mode=row["mode"],
            ballot=canonical(answer) if str(row["mode"]).startswith(VOTE_PREFIX) else "",
            exact=exact_match(factual_answer(answer), row["gold_answers"] or ()) if judged else None,
        )


def read_episodes(folder: str) -> list[EpisodeFacts]:
    """The facts of every trajectory in a folder of scores; where a key stands twice, of the row that counts."""
    facts = [
        EpisodeFacts.from_row(row)
        for path in storage.parquet_files(folder)
        for row in read_columns(path, TRAJECTORIES, EPISODE_COLUMNS).to_pylist()
    ]
    keys = (((fact.question_id, fact.sample_index), fact.stop_reason) for fact in facts)
    return [facts[position] for position in sorted(rows_that_count(keys).values())]


def mean_tokens(episodes: Sequence[EpisodeFacts]) -> float:
    """Completion tokens an episode, over those that the system did not fail; 0 where there is none."""
    finished = [item.num_completion_tokens for item in episodes if not item.stop_reason.is_system]
    return sum(finished) / len(finished) if finished else 0.0
