"""Cutting repeated steps out of a trajectory."""

from __future__ import annotations

import dataclasses

from agentdistill.types import Message, Role, Step, Trajectory


def without_repeats(trajectory: Trajectory) -> Trajectory:
    """The trajectory without each step that ran an earlier one's code and saw the same, and without its turns.

    Nothing is lost that a later step could have read: the earlier observation, which is the same, stays.
    """
    if not trajectory.repeated:
        return trajectory
    head, turns = _turns(trajectory.messages)
    kept: list[Step] = []
    messages = list(head)
    seen: set[tuple[str, str]] = set()
    for step, turn in zip(trajectory.steps, turns, strict=True):
        key = (step.code, step.observation)
        if key not in seen:
            seen.add(key)
            kept.append(step)
            messages += turn
    return dataclasses.replace(trajectory, steps=tuple(kept), messages=tuple(messages), repeated=False)


def _turns(messages: tuple[Message, ...]) -> tuple[list[Message], list[list[Message]]]:
    """What stands before the agent's first turn, and each turn with the observation that follows it."""
    head: list[Message] = []
    turns: list[list[Message]] = []
    for message in messages:
        if message.role is Role.ASSISTANT:
            turns.append([message])
        else:
            (turns[-1] if turns else head).append(message)
    return head, turns
