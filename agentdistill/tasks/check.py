"""Checks that hold for every list of questions, wherever it came from."""

from __future__ import annotations

from collections.abc import Sequence

from agentdistill.errors import DataError
from agentdistill.types import Question


def check_questions(questions: Sequence[Question], source: str) -> None:
    """Raise DataError where the list is empty, an id stands twice, or a question lacks its text or its answers.

    `source` names the file or task in the message.
    """
    if not questions:
        raise DataError(f"{source}: there are no questions in it, expected at least one")
    seen: dict[str, int] = {}
    for position, question in enumerate(questions, start=1):
        if question.id in seen:
            raise DataError(
                f"{source}, question {position}: the id {question.id!r} already stands at question "
                f"{seen[question.id]}, expected ids that differ"
            )
        seen[question.id] = position
        if not question.text.strip():
            raise DataError(
                f"{source}, question {position} (id {question.id!r}): the text is empty, expected a question"
            )
        if not question.answers or not all(answer.strip() for answer in question.answers):
            raise DataError(
                f"{source}, question {position} (id {question.id!r}): an answer is missing or empty, expected at "
                "least one gold answer"
            )
