"""The Arrow schemas of everything that phases hand to each other, and the one place that converts rows.

A stored schema carries its version in the table's metadata (`agentdistill.schema`, `agentdistill.version`). Older files
are converted as they are read (`current`; `schema_v1.py` for trajectories of version 1), newer ones raise DataError. A
field that may be null can be added within a version: a file from before has nulls there (`conform`). Each fact is
stored once: thought, code and messages follow from a step's text and parts. Sums (tokens, invalid actions) are stored
beside their sources, where people query the Parquet directly; reading computes them again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa

from agentdistill import schema_v1
from agentdistill.errors import DataError
from agentdistill.types import (
    OBSERVATION_HEADER,
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
        ("parts", pa.list_(_PART)),
        ("observation", pa.string()),
        ("observation_header", pa.string()),  # null: OBSERVATION_HEADER
        ("observation_role", pa.string()),  # null: user
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
        ("thought_text", pa.string()),  # null where the parts say it
        ("code_text", pa.string()),  # null where the parts say it
    ]
)
_GRADE = pa.struct([("score", pa.float64()), ("correct", pa.bool_()), ("grader", pa.string())])


_NAME, _VERSION = b"agentdistill.schema", b"agentdistill.version"


def _versioned(name: str, version: int, fields: list[tuple[str, pa.DataType]]) -> pa.Schema:
    metadata = {_NAME: name.encode(), _VERSION: str(version).encode()}
    return pa.schema(fields, metadata=metadata)


QUESTIONS = _versioned(
    "questions",
    1,
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
    2,
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
        ("protocol", pa.string()),
        ("prompt_version", pa.string()),
        ("first_thought_prefix", pa.string()),
        ("opening", pa.list_(_MESSAGE)),
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
    1,
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


def version_of(stored: pa.Schema, schema: pa.Schema, where: str) -> int:
    """The version in which something was stored. Raises DataError where it is not of `schema`, or newer than we."""
    metadata = stored.metadata or {}
    name, expected = metadata.get(_NAME, b"nothing"), schema.metadata[_NAME]
    if name != expected:
        raise DataError(f"{where}: its metadata says {_NAME.decode()} = {name.decode()}, expected {expected.decode()}")
    version, newest = metadata.get(_VERSION, b"nothing").decode(), int(schema.metadata[_VERSION])
    if not version.isdigit() or not 1 <= int(version) <= newest:
        newer = version.isdigit() and int(version) > newest
        why = " (a newer version of agentdistill wrote it)" if newer else ""
        raise DataError(
            f"{where}: its metadata says {_VERSION.decode()} = {version}{why}, expected "
            + (f"1 to {newest}" if newest > 1 else "1")
        )
    return int(version)


def stored_columns(stored: pa.Schema, schema: pa.Schema, columns: Sequence[str], where: str) -> list[str]:
    """The columns to read for these, of something that may be stored in an older version. Raises DataError."""
    return list(columns) if _is_current(stored, schema, where) else schema_v1.columns_of(columns)


def current(table: pa.Table, schema: pa.Schema, where: str) -> pa.Table:
    """The table, or those of its columns that were read, in the newest version. Raises DataError."""
    return table if _is_current(table.schema, schema, where) else schema_v1.upgrade(table, schema, where)


def _is_current(stored: pa.Schema, schema: pa.Schema, where: str) -> bool:
    return version_of(stored, schema, where) == int(schema.metadata[_VERSION])


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


def _table(rows: list[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    """The rows as a table. A lone surrogate, which models and JSON can write and UTF-8 cannot, becomes a question mark:
    one character as before, so that parts stand where they stood.
    """
    try:
        return pa.Table.from_pylist(rows, schema=schema)
    except UnicodeEncodeError:
        return pa.Table.from_pylist([_encodable(row) for row in rows], schema=schema)


def _encodable(value: Any) -> Any:
    if isinstance(value, str):
        return value if value.isascii() else str(value).encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, dict):
        return {key: _encodable(item) for key, item in value.items()}
    return [_encodable(item) for item in value] if isinstance(value, list | tuple) else value


def questions_to_table(questions: Iterable[Question]) -> pa.Table:
    return _table(
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
        QUESTIONS,
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
    row["parts"] = _parts_to_rows(step.parts)
    row["observation_header"] = None if step.observation_header == OBSERVATION_HEADER else step.observation_header
    row["observation_role"] = None if step.observation_role is Role.USER else str(step.observation_role)
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
            "parts": _parts_from_rows(row["parts"] or ()),
            "observation_header": OBSERVATION_HEADER if (head := row["observation_header"]) is None else head,
            "observation_role": Role(row["observation_role"] or Role.USER),
            "error": None if row["error"] is None else ActionError(row["error"]),
            **{name: tuple(row.get(name) or ()) for name in ("token_ids", "prompt_token_ids", "logprobs")},
            "candidates": tuple(Candidate(**item) for item in row["candidates"] or ()),
        }
    )


def thought_and_code(row: dict[str, Any]) -> tuple[str, str]:
    """What a stored step says and does, of its columns text, parts, thought_text and code_text."""
    parts = _parts_from_rows(row["parts"] or ())
    step = Step(row["text"] or "", parts, thought_text=row["thought_text"], code_text=row["code_text"])
    return step.thought, step.code


def trajectory_to_row(trajectory: Trajectory) -> dict[str, Any]:
    row = {name: getattr(trajectory, name) for name in trajectory.__slots__}
    grade = trajectory.grade
    row.update(
        kind=str(trajectory.kind),
        gold_answers=list(trajectory.gold_answers),
        opening=_messages_to_rows(trajectory.opening),
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
    # A column that was added since the file was written is not there; the field has its default then.
    stored = {name: row[name] for name in Trajectory.__slots__ if name in row}
    stored.update(
        kind=kind_of(row["kind"]),
        gold_answers=tuple(row["gold_answers"]),
        opening=_messages_from_rows(row["opening"]),
        steps=tuple(_step_from_row(step) for step in row["steps"] or ()),
        stop_reason=StopReason(row["stop_reason"]),
        grade=None if row.get("grade") is None else Grade(**row["grade"]),
    )
    return Trajectory(**stored)


def trajectories_to_table(trajectories: Iterable[Trajectory]) -> pa.Table:
    return _table([trajectory_to_row(item) for item in trajectories], TRAJECTORIES)


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
    return _table(rows, TRAINING_EXAMPLES)


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
