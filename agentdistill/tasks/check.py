"""Checks that hold for every list of questions, wherever it came from."""

from __future__ import annotations

import json
from collections.abc import Sequence

from agentdistill import plugins
from agentdistill.errors import ConfigError, DataError
from agentdistill.types import Question


def check_questions(questions: Sequence[Question], source: str) -> None:
    """Raise DataError where the list is empty, an id stands twice, or a question lacks text, answers or a grader.

    `source` names the file or task in the message.
    """
    if not questions:
        raise DataError(f"{source}: there are no questions in it, expected at least one")
    seen: dict[str, int] = {}
    for position, question in enumerate(questions, start=1):
        _check_types(question, f"{source}, question {position}")
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
    for kind in dict.fromkeys(question.kind for question in questions):
        try:
            plugins.load("grader", kind)
        except ConfigError as error:
            raise DataError(f"{source}: {error}") from error


def _check_types(question: object, where: str) -> None:
    """What a function of somebody's own made is what it should be."""
    if not isinstance(question, Question):
        raise DataError(f"{where}: found a {type(question).__name__}, expected an agentdistill.types.Question")
    for name in ("id", "text", "kind", "task"):
        if not isinstance(getattr(question, name), str):
            raise DataError(f"{where}: {name} is {getattr(question, name)!r:.60}, expected a text")
    if not isinstance(question.answers, tuple) or not all(isinstance(answer, str) for answer in question.answers):
        raise DataError(f"{where} (id {question.id!r}): answers is {question.answers!r:.60}, expected a tuple of texts")
    try:
        json.dumps(dict(question.metadata))
    except (TypeError, ValueError) as error:
        raise DataError(
            f"{where} (id {question.id!r}): metadata is {question.metadata!r:.60}, expected a dict that JSON has"
        ) from error
