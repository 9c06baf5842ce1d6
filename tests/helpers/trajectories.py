"""Trajectories for tests."""

import dataclasses
from typing import Any

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

STEP = Step(
    text="Thought: t\nCode:\n```py\n1\n```<end_code>",
    thought="t",
    code="1",
    observation="1",
    token_ids=(5, 6, 7),
    num_prompt_tokens=10,
    num_completion_tokens=3,
    num_tool_calls=1,
    candidates=(Candidate("t", "1", "printed:1", "", True), Candidate("u", "2", "", "execution", False)),
    generation_s=0.5,
)
FAILED_STEP = dataclasses.replace(STEP, error=ActionError.EXECUTION, error_message="ValueError: no")
INVALID_STEP = dataclasses.replace(STEP, code="", error=ActionError.NO_CODE)


def make_trajectory(**changes: Any) -> Trajectory:
    steps = changes.pop("steps", (STEP, STEP))
    messages = [Message(Role.SYSTEM, "A long prompt."), Message(Role.USER, "What is 1?")]
    for step in steps:
        messages += [Message(Role.ASSISTANT, step.text), Message(Role.USER, "Observation:\n1")]
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
        prompt_version="teacher_v1-0",
        first_thought_prefix="",
        messages=tuple(messages[:-1]),
        steps=tuple(steps),
        answer="1",
        stop_reason=StopReason.FINAL_ANSWER,
        error="",
        grade=Grade(1.0, True, "math-1"),
        seed=3,
    )
    return dataclasses.replace(base, **changes)
