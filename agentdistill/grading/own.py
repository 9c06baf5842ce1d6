"""A grader of somebody's own: found by the name that a question's kind is, and never taken at its word unseen."""

from __future__ import annotations

import numbers
from collections.abc import Awaitable, Callable
from typing import TypeGuard

from agentdistill import plugins
from agentdistill.grading.requests import GradeRequest, Ruling
from agentdistill.types import Grade, Question

#: Decides one answer; None where it cannot. The answer is None where the agent gave none.
OwnGrader = Callable[[Question, str | None], Awaitable[Grade | None]]

_REASON_CHARS = 500


async def rule(request: GradeRequest) -> Ruling:
    """What the grader says. One that raises gives no grade: its failure is no wrong answer.

    Raises ConfigError where there is no grader of that name.
    """
    grader: OwnGrader = plugins.load("grader", request.kind)
    question = request.asked or Question("", request.question, request.gold, request.kind, "")
    try:
        grade = await grader(question, request.prediction)
    except Exception as error:  # a grader of somebody else's may raise anything
        return Ruling(None, f"{request.kind} raised {type(error).__name__}: {error}"[:_REASON_CHARS])
    if grade is None:
        return Ruling(None, f"{request.kind} gave no grade")
    if not _is_sound(grade):
        return Ruling(
            None,
            f"{request.kind} gave {grade!r:.100}, expected a Grade with a score from 0 to 1, True or False for correct "
            "and the grader's name, or None",
        )
    return Ruling(Grade(float(grade.score), bool(grade.correct), grade.grader))


def _is_sound(grade: object) -> TypeGuard[Grade]:
    """Whether a record can keep it: a grader of somebody else's may put anything into its fields."""
    return (
        isinstance(grade, Grade)
        and isinstance(grade.score, numbers.Real)
        and 0 <= grade.score <= 1
        and grade.correct in (True, False)
        and isinstance(grade.grader, str)
    )
