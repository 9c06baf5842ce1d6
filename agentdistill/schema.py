"""The Arrow schemas of everything that stages hand to each other, and the one place that converts rows.

A stored schema carries its version in the table's metadata (`agentdistill.schema`, `agentdistill.version`); reading
another version raises DataError. A field that may be null can be added within a version: a file from before has nulls
there (`conform`). Derived values (token sums, invalid actions) are stored beside their sources only
where people query the Parquet directly; reading computes them again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from agentdistill.errors import DataError
from agentdistill.types import (
    ActionError,
    Candidate,
    Grade,
    Message,
    Part,
    PartKind,
    Question,
    Role,
    Step,
    StopReason,
    TrainingExample,
    Trajectory,
    kind_of,
)

VERSION = 1

_MESSAGE = pa.struct([("role", pa.string()), ("content", pa.string())])
_PART = pa.struct([("kind", pa.string()), ("start", pa.int32()), ("end", pa.int32())])
_CANDIDATE = pa.struct(
    [
        ("thought", pa.string()),
        ("code", pa.string()),
        ("outcome_key", pa.string()),
        ("error", pa.string()),
        ("chosen", pa.bool_()),
    ]
)
_STEP = pa.struct(
    [
        ("text", pa.string()),
        ("thought", pa.string()),
        ("code", pa.string()),
        ("observation", pa.string()),
        ("error", pa.string()),  # an ActionError, or null
        ("error_message", pa.string()),
        ("token_ids", pa.list_(pa.int32())),
        ("num_prompt_tokens", pa.int32()),
        ("num_completion_tokens", pa.int32()),
        ("num_tool_calls", pa.int32()),
        ("candidates", pa.list_(_CANDIDATE)),
        ("generation_s", pa.float64()),
        ("sandbox_s", pa.float64()),
        ("tools_s", pa.float64()),
        ("prompt_token_ids", pa.list_(pa.int32())),  # null unless asked for
        ("logprobs", pa.list_(pa.float32())),  # null unless asked for
    ]
)
_GRADE = pa.struct([("score", pa.float64()), ("correct", pa.bool_()), ("grader", pa.string())])


def _versioned(name: str, fields: list[tuple[str, pa.DataType]]) -> pa.Schema:
    metadata = {b"agentdistill.schema": name.encode(), b"agentdistill.version": str(VERSION).encode()}
    return pa.schema(fields, metadata=metadata)


QUESTIONS = _versioned(
    "questions",
    [
        ("id", pa.string()),
        ("text", pa.string()),
        ("answers", pa.list_(pa.string())),
        ("kind", pa.string()),
        ("task", pa.string()),
        ("metadata", pa.string()),  # JSON
    ],
)

TRAJECTORIES = _versioned(
    "trajectories",
    [
        ("run_id", pa.string()),
        ("question_id", pa.string()),
        ("sample_index", pa.int32()),
        ("task", pa.string()),
        ("kind", pa.string()),
        ("question", pa.string()),
        ("gold_answers", pa.list_(pa.string())),
        ("role", pa.string()),
        ("model", pa.string()),
        ("model_revision", pa.string()),
        ("mode", pa.string()),
        ("prompt_version", pa.string()),
        ("first_thought_prefix", pa.string()),
        ("messages", pa.list_(_MESSAGE)),
        ("steps", pa.list_(_STEP)),
        ("answer", pa.string()),
        ("stop_reason", pa.string()),
        ("error", pa.string()),
        ("repeated", pa.bool_()),
        ("grade", _GRADE),
        ("seed", pa.int64()),
        ("started_at", pa.string()),
        ("duration_s", pa.float64()),
        ("num_prompt_tokens", pa.int64()),
        ("num_completion_tokens", pa.int64()),
        ("num_tool_calls", pa.int32()),
        ("num_invalid_actions", pa.int32()),
    ],
)

TRAINING_EXAMPLES = _versioned(
    "training_examples",
    [
        ("example_id", pa.string()),
        ("run_id", pa.string()),
        ("question_id", pa.string()),
        ("sample_index", pa.int32()),
        ("task", pa.string()),
        ("messages", pa.list_(_MESSAGE)),
        ("failed_steps", pa.list_(pa.bool_())),
        ("prefix_chars", pa.int32()),
        ("parts", pa.list_(pa.list_(_PART))),  # of each assistant message; null where nobody said what they are
    ],
)


def check_version(table: pa.Table, schema: pa.Schema, where: str) -> None:
    """Raise DataError where `table` was not written with `schema` of this version."""
    metadata = table.schema.metadata or {}
    for key in (b"agentdistill.schema", b"agentdistill.version"):
        found, expected = metadata.get(key, b"nothing").decode(), schema.metadata[key].decode()
        if found != expected:
            raise DataError(f"{where}: its metadata says {key.decode()} = {found}, expected {expected}")


def conform(table: pa.Table, schema: pa.Schema, where: str) -> pa.Table:
    """The table with its columns as `schema` has them now; fields added since it was written are null.

    Raises DataError where a column is of another type.
    """
    known = [schema.field(name) for name in table.column_names if name in schema.names]
    target = pa.schema(known, metadata=table.schema.metadata)
    if table.schema.equals(target):
        return table
    try:
        return table.select(target.names).cast(target)
    except pa.ArrowException as error:
        raise DataError(f"{where}: its columns do not have the types of this version: {error}") from error


def questions_to_table(questions: Iterable[Question]) -> pa.Table:
    return pa.Table.from_pylist(
        [
            {
                "id": question.id,
                "text": question.text,
                "answers": list(question.answers),
                "kind": str(question.kind),
                "task": question.task,
                "metadata": json.dumps(dict(question.metadata)),
            }
            for question in questions
        ],
        schema=QUESTIONS,
    )


def question_from_row(row: dict[str, Any]) -> Question:
    return Question(
        id=row["id"],
        text=row["text"],
        answers=tuple(row["answers"]),
        kind=kind_of(row["kind"]),
        task=row["task"],
        metadata=json.loads(row["metadata"] or "{}"),
    )


def questions_from_table(table: pa.Table) -> list[Question]:
    return [question_from_row(row) for row in table.to_pylist()]


def _step_to_row(step: Step) -> dict[str, Any]:
    row = {name: getattr(step, name) for name in step.__slots__}
    row["error"] = None if step.error is None else str(step.error)
    row["token_ids"] = list(step.token_ids)
    for name in ("prompt_token_ids", "logprobs"):
        row[name] = list(getattr(step, name)) or None
    row["candidates"] = [{name: getattr(item, name) for name in item.__slots__} for item in step.candidates]
    return row


def _step_from_row(row: dict[str, Any]) -> Step:
    return Step(
        **{
            **row,
            "error": None if row["error"] is None else ActionError(row["error"]),
            **{name: tuple(row.get(name) or ()) for name in ("token_ids", "prompt_token_ids", "logprobs")},
            "candidates": tuple(Candidate(**item) for item in row["candidates"] or ()),
        }
    )


def trajectory_to_row(trajectory: Trajectory) -> dict[str, Any]:
    row = {name: getattr(trajectory, name) for name in trajectory.__slots__}
    grade = trajectory.grade
    row.update(
        kind=str(trajectory.kind),
        gold_answers=list(trajectory.gold_answers),
        messages=_messages_to_rows(trajectory.messages),
        steps=[_step_to_row(step) for step in trajectory.steps],
        stop_reason=str(trajectory.stop_reason),
        grade=None if grade is None else {"score": grade.score, "correct": grade.correct, "grader": grade.grader},
        num_prompt_tokens=trajectory.num_prompt_tokens,
        num_completion_tokens=trajectory.num_completion_tokens,
        num_tool_calls=trajectory.num_tool_calls,
        num_invalid_actions=trajectory.num_invalid_actions,
    )
    return row


def trajectory_from_row(row: dict[str, Any]) -> Trajectory:
    stored = {name: row[name] for name in Trajectory.__slots__}
    stored.update(
        kind=kind_of(row["kind"]),
        gold_answers=tuple(row["gold_answers"]),
        messages=_messages_from_rows(row["messages"]),
        steps=tuple(_step_from_row(step) for step in row["steps"] or ()),
        stop_reason=StopReason(row["stop_reason"]),
        grade=None if row["grade"] is None else Grade(**row["grade"]),
    )
    return Trajectory(**stored)


def trajectories_to_table(trajectories: Iterable[Trajectory]) -> pa.Table:
    return pa.Table.from_pylist([trajectory_to_row(item) for item in trajectories], schema=TRAJECTORIES)


def trajectories_from_table(table: pa.Table) -> list[Trajectory]:
    return [trajectory_from_row(row) for row in table.to_pylist()]


def examples_to_table(examples: Iterable[TrainingExample]) -> pa.Table:
    rows = []
    for example in examples:
        row = {name: getattr(example, name) for name in example.__slots__}
        row["messages"] = _messages_to_rows(example.messages)
        row["failed_steps"] = list(example.failed_steps)
        row["parts"] = [_parts_to_rows(parts) for parts in example.parts] or None
        rows.append(row)
    return pa.Table.from_pylist(rows, schema=TRAINING_EXAMPLES)


def example_from_row(row: dict[str, Any]) -> TrainingExample:
    stored: dict[str, Any] = {name: row.get(name) for name in TrainingExample.__slots__}
    stored["messages"] = _messages_from_rows(row["messages"])
    stored["failed_steps"] = tuple(row["failed_steps"])
    stored["parts"] = tuple(_parts_from_rows(parts) for parts in row.get("parts") or ())
    return TrainingExample(**stored)


def examples_from_table(table: pa.Table) -> list[TrainingExample]:
    return [example_from_row(row) for row in table.to_pylist()]


def _parts_to_rows(parts: Iterable[Part]) -> list[dict[str, Any]]:
    return [{"kind": str(part.kind), "start": part.start, "end": part.end} for part in parts]


def _parts_from_rows(rows: Iterable[dict[str, Any]]) -> tuple[Part, ...]:
    return tuple(Part(PartKind(row["kind"]), row["start"], row["end"]) for row in rows)


def _messages_to_rows(messages: Iterable[Message]) -> list[dict[str, str]]:
    return [{"role": str(message.role), "content": message.content} for message in messages]


def _messages_from_rows(rows: Iterable[dict[str, str]]) -> tuple[Message, ...]:
    return tuple(Message(Role(row["role"]), row["content"]) for row in rows)
