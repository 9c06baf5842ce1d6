"""Trajectories for tests."""

import dataclasses
from typing import Any

from agentdistill.agent import THOUGHT_CODE
from agentdistill.types import (
    ActionError,
    Candidate,
    Grade,
    Kind,
    Message,
    Role,
    Step,
    StopReason,
    Trajectory,
)


def make_step(thought: str = "t", code: str = "1", observation: str = "1", **changes: Any) -> Step:
    """A step that says and does this, with its parts."""
    turn = THOUGHT_CODE.read(f"Thought: {thought}\nCode:\n```py\n{code}\n```<end_code>")
    return Step(turn.text, turn.parts, observation, **changes)


STEP = make_step(
    token_ids=(5, 6, 7),
    num_prompt_tokens=10,
    num_completion_tokens=3,
    num_tool_calls=1,
    candidates=(Candidate("t", "1", "printed:1", "", True), Candidate("u", "2", "", "execution", False)),
    generation_s=0.5,
)
FAILED_STEP = dataclasses.replace(STEP, error=ActionError.EXECUTION, error_message="ValueError: no")
INVALID_STEP = dataclasses.replace(STEP, parts=STEP.parts[:1], error=ActionError.NO_CODE)


def make_trajectory(**changes: Any) -> Trajectory:
    base = Trajectory(
        run_id="run",
        question_id="q1",
        sample_index=0,
        task="test",
        kind=Kind.MATH,
        question="What is 1?",
        gold_answers=("1",),
        role="teacher",
        model="m",
        model_revision="",
        mode="agent",
        protocol="thought_code",
        prompt_version="teacher_v1-0",
        first_thought_prefix="",
        opening=(Message(Role.SYSTEM, "A long prompt."), Message(Role.USER, "What is 1?")),
        steps=(STEP, dataclasses.replace(STEP, observation="")),
        answer="1",
        stop_reason=StopReason.FINAL_ANSWER,
        error="",
        grade=Grade(1.0, True, "math-1"),
        seed=3,
    )
    return dataclasses.replace(base, **changes)
