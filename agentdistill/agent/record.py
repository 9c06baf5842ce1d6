"""The record of one episode: the one place that makes a trajectory of what happened, in every mode."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from agentdistill.agent.settings import EpisodeSettings
from agentdistill.types import Message, Question, Step, StopReason, Trajectory


@dataclass(frozen=True, slots=True)
class Start:
    """When an episode began, for its duration and for the record."""

    clock_s: float = field(default_factory=time.monotonic)
    at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="milliseconds"))  # ISO 8601


def make_trajectory(
    question: Question,
    settings: EpisodeSettings,
    start: Start,
    *,
    opening: Sequence[Message],
    steps: Sequence[Step],
    answer: str | None,
    stop_reason: StopReason,
    error: str = "",
    prompt_version: str = "",
    first_thought_prefix: str = "",
) -> Trajectory:
    """The episode that ends now. It is not graded: who runs it does that."""
    return Trajectory(
        run_id=settings.run_id,
        question_id=question.id,
        sample_index=settings.sample_index,
        task=question.task,
        kind=question.kind,
        question=question.text,
        gold_answers=question.answers,
        role=settings.role,
        model=settings.model,
        model_revision=settings.model_revision,
        mode=settings.mode,
        protocol=settings.protocol,
        prompt_version=prompt_version,
        first_thought_prefix=first_thought_prefix,
        opening=tuple(opening),
        steps=tuple(steps),
        answer=answer,
        stop_reason=stop_reason,
        error=error,
        repeated=repeats(steps),
        seed=settings.seed,
        started_at=start.at,
        duration_s=time.monotonic() - start.clock_s,
    )


def repeats(steps: Sequence[Step]) -> bool:
    """Whether a step took the action of an earlier one and saw the same."""
    seen = [(step.action, step.observation) for step in steps]
    return len(set(seen)) < len(seen)
