"""The grade of an episode in its record."""

from __future__ import annotations

import dataclasses

from agentdistill.grading.grader import Grader
from agentdistill.grading.requests import GradeRequest
from agentdistill.types import Question, Trajectory

#: In front of the reason, in the error of a trajectory that its grader gave no grade.
NOT_GRADED = "grader: "


async def graded(trajectory: Trajectory, question: Question, grader: Grader, has_judge: bool) -> Trajectory:
    """The trajectory with its grade, or with the reason why its grader gave none.

    It stays as it is where the system failed, and where a judge will decide (`has_judge`) once all episodes are done.
    Raises what `Grader.rule_many` raises.
    """
    request = GradeRequest.for_question(question, trajectory.answer)
    if trajectory.stop_reason.is_system or (has_judge and request.needs_judge):
        return trajectory
    (ruling,) = await grader.rule_many_async([request])
    error = f"{NOT_GRADED}{ruling.reason}" if ruling.grade is None else trajectory.error
    return dataclasses.replace(trajectory, grade=ruling.grade, error=error)
