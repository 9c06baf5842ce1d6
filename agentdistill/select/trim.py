"""Cutting repeated steps out of a trajectory."""

from __future__ import annotations

import dataclasses

from agentdistill.types import Step, Trajectory


def without_repeats(trajectory: Trajectory) -> Trajectory:
    """The trajectory without each step that took an earlier one's action and saw the same, and without its turns.

    Nothing is lost that a later step could have read: the earlier observation, which is the same, stays.
    """
    if not trajectory.repeated:
        return trajectory
    kept: dict[tuple[str, str], Step] = {}
    for step in trajectory.steps:
        kept.setdefault((step.action, step.observation), step)
    return dataclasses.replace(trajectory, steps=tuple(kept.values()), repeated=False)
