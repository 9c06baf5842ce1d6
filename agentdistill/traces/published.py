"""From one published row to one trajectory: which column is what, the verdict, and the key."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from agentdistill import plugins
from agentdistill.agent.record import repeats
from agentdistill.errors import DataError
from agentdistill.traces.conversations import Conversation, UnreadableRowError
from agentdistill.traces.formats.base import Format
from agentdistill.types import Grade, Message, Role, Trajectory, kind_of

AUTO = "auto"  # the form that fits the first row

_QUESTION = ("question", "original_question")
_GOLD = ("true_answer", "true_answers", "gold_answer", "gold_answers", "ground_truth")
_GENERATED = ("generated_answer", "predicted_answer", "prediction")
_ID = ("id", "question_id")
_CORRECT = ("correct", "is_correct")
_MODEL = ("model", "model_id")


def form_of(where: str, row: Mapping[str, Any], name: str) -> Format:
    """The form of that name, or for "auto" the built-in one that fits a source's first row.

    Raises ConfigError where there is no such form, DataError where the row does not fit.
    """
    chosen: Mapping[str, Format] = {
        known: plugins.load("format", known) for known in (plugins.BUILT_IN["format"] if name == AUTO else [name])
    }
    for known, form in chosen.items():
        if _fits(known, form, where, row):
            return form
    columns = " or ".join(f"{form.column!r} ({known})" for known, form in chosen.items())
    expected = columns if name == AUTO else f"{chosen[name].column!r} in the form {name}"
    found = ", ".join(str(column) for column in row) or "none"
    raise DataError(f"{where}: there is no column {expected}; the columns there are: {found}")


def _fits(name: str, form: Format, where: str, row: Mapping[str, Any]) -> bool:
    try:
        return bool(form.fits(row))
    except Exception as error:  # a form of somebody else's may raise anything
        raise DataError(f"{where}: the form {name} raised {type(error).__name__} in fits(row): {error}") from error


@dataclass
class RowReader:
    """Turns rows into trajectories and keeps their keys unique."""

    run_id: str
    task: str
    kind: str | None
    samples: Counter[str] = field(default_factory=Counter)  # question id -> how many so far
    texts: dict[str, bytes] = field(default_factory=dict)  # given id -> digest of its question

    def read(self, where: str, row: Mapping[str, Any], form: Format) -> Trajectory:
        """The row's trajectory. Raises UnreadableRowError, and DataError where nothing says of which kind it is."""
        conversation = _conversation(row, form)
        own = _first(row, _QUESTION)
        question = own.strip() if isinstance(own, str) and own.strip() else conversation.task
        if not question:
            raise UnreadableRowError("no question")
        kind, grade = self._kind(where, row), _grade(row)
        gold, generated = _answers(row)
        question_id = self._question_id(row, question)
        sample_index = self.samples[question_id]
        self.samples[question_id] += 1
        return Trajectory(
            run_id=self.run_id,
            question_id=question_id,
            sample_index=sample_index,
            task=self.task,
            kind=kind,
            question=question,
            gold_answers=gold,
            role="teacher",
            model=str(_first(row, _MODEL) or ""),
            model_revision="",
            mode="agent",
            protocol=conversation.protocol,
            prompt_version="imported",
            first_thought_prefix="",
            opening=_opening(conversation, question),
            steps=conversation.steps,
            answer=generated if generated is not None else conversation.answer,
            stop_reason=conversation.stop_reason,
            error="",
            repeated=repeats(conversation.steps),
            grade=grade,
        )

    def _kind(self, where: str, row: Mapping[str, Any]) -> str:
        if self.kind is not None:
            return self.kind
        own = row.get("kind")
        if isinstance(own, str) and plugins.is_known("grader", own):
            return kind_of(own)
        found, expected = (repr(own) if "kind" in row else "missing"), plugins.three_ways("grader", str(own))
        raise DataError(f"{where}: kind is not given and the column 'kind' is {found}, expected {expected}")

    def _question_id(self, row: Mapping[str, Any], question: str) -> str:
        """The row's id; a digest of the question where it has none or where the id stands for another question too."""
        digest = hashlib.sha256(question.encode()).digest()
        given = _first(row, _ID)
        if isinstance(given, bool) or not isinstance(given, str | int) or not str(given).strip():
            return f"{self.task}-{digest.hex()[:16]}"
        name = str(given).strip()
        if self.texts.setdefault(name, digest) == digest:
            return name
        return f"{name}-{digest.hex()[:16]}"


def _conversation(row: Mapping[str, Any], form: Format) -> Conversation:
    try:
        read: object = form.read(row)
    except UnreadableRowError:
        raise
    except Exception as error:  # a form of somebody else's may raise anything
        raise UnreadableRowError(f"its form raised {type(error).__name__}") from error
    if not isinstance(read, Conversation):
        raise UnreadableRowError(f"its form read a {type(read).__name__}, expected a Conversation")
    return read


def _opening(conversation: Conversation, question: str) -> tuple[Message, ...]:
    asked = Message(Role.USER, question)
    return (asked,) if conversation.system is None else (Message(Role.SYSTEM, conversation.system), asked)


def _first(row: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((row[name] for name in names if row.get(name) is not None), None)


def _answers(row: Mapping[str, Any]) -> tuple[tuple[str, ...], str | None]:
    """(gold answers, what the agent answered); `answer` is the gold one unless another column is."""
    gold, generated = _first(row, _GOLD), _first(row, _GENERATED)
    if gold is None:
        gold = row.get("answer")
    elif generated is None:
        generated = row.get("answer")
    values = gold if isinstance(gold, list | tuple) else [gold]
    texts = [str(value).strip() for value in values if value is not None]
    return tuple(dict.fromkeys(text for text in texts if text)), None if generated is None else str(generated)


def _grade(row: Mapping[str, Any]) -> Grade | None:
    """The row's own verdict; None where it has none. A score counts as correct at 1, as its authors count."""
    correct, score = _first(row, _CORRECT), row.get("score")
    if correct is not None:
        if correct not in (True, False):
            raise UnreadableRowError("correct is not true or false")
        return Grade(float(correct), bool(correct), "imported:correct")
    if score is None or (isinstance(score, float) and math.isnan(score)):
        return None
    if not isinstance(score, bool | int | float) or not 0 <= score <= 1:
        raise UnreadableRowError("score is not a number from 0 to 1")
    return Grade(float(score), score == 1, "imported:score")
