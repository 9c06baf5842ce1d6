"""From the rows of a file to questions: which column is what, and which types an answer may have."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from agentdistill import plugins
from agentdistill.errors import DataError
from agentdistill.rows import LocatedRow
from agentdistill.types import Kind, Question, kind_of


@dataclass(frozen=True, slots=True)
class Columns:
    """Where a row keeps what."""

    question: str = "question"
    answer: str = "answer"
    id: str = "id"
    alias: str | None = None
    separator: str | None = None


def to_questions(
    rows: Iterable[LocatedRow], task: str, kind: str | None, columns: Columns, id_prefix: str = ""
) -> list[Question]:
    """One question a row, in order. `kind` None decides by the answers, or by the rows' own "kind" column.

    Raises DataError naming place, field, and what was expected.
    """
    located = list(rows)
    numbered = bool(located) and not any(columns.id in row for _, row in located)
    made = []
    for position, (where, row) in enumerate(located):
        given_id = f"{task}-{position}" if numbered else id_prefix + _id(where, row, columns.id)
        text = _text(where, row, columns.question)
        made.append((where, row, given_id, text, _answers(where, row, columns)))
    guessed = kind or _guess_kind([answers for *_, answers in made])
    return [
        Question(given_id, text, answers, kind or _own_kind(where, row, guessed), task, _metadata(row, columns))
        for where, row, given_id, text, answers in made
    ]


def _field(where: str, row: Mapping[str, Any], name: str, expected: str) -> Any:
    if name not in row:
        found = ", ".join(str(key) for key in row) or "none"
        raise DataError(f"{where}: the field {name!r} is missing, expected {expected}; the fields there are: {found}")
    if row[name] is None:
        raise DataError(f"{where}: the field {name!r} is null, expected {expected}")
    return row[name]


def _id(where: str, row: Mapping[str, Any], name: str) -> str:
    value = _field(where, row, name, "an id")
    if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).strip():
        raise DataError(f"{where}: the field {name!r} is {value!r}, expected an id: a text or a whole number")
    return str(value).strip()


def _text(where: str, row: Mapping[str, Any], name: str) -> str:
    value = _field(where, row, name, "the question's text")
    if not isinstance(value, str) or not value.strip():
        raise DataError(f"{where}: the field {name!r} is {_short(value)}, expected the question's text")
    return value.strip()


def _answers(where: str, row: Mapping[str, Any], columns: Columns) -> tuple[str, ...]:
    """The accepted answers in order, each once."""
    expected = "a gold answer: a text, a number, or a list of them"
    value = _field(where, row, columns.answer, expected)
    values = list(value) if isinstance(value, list | tuple) else [value]
    if columns.separator is not None:
        values = [part for entry in values for part in (entry.split(columns.separator) if _is_text(entry) else [entry])]
    if columns.alias is not None and row.get(columns.alias) is not None:
        aliases = row[columns.alias]
        values += list(aliases) if isinstance(aliases, list | tuple) else [aliases]
    answers = []
    for entry in values:
        if isinstance(entry, bool) or not isinstance(entry, str | int | float) or _not_finite(entry):
            raise DataError(f"{where}: the field {columns.answer!r} holds {_short(entry)}, expected {expected}")
        if str(entry).strip():
            answers.append(str(entry).strip())
    if not answers:
        raise DataError(f"{where}: the field {columns.answer!r} is empty, expected {expected}")
    return tuple(dict.fromkeys(answers))


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _not_finite(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."


def _own_kind(where: str, row: Mapping[str, Any], guessed: str) -> str:
    value = row.get("kind")
    if value is None:
        return guessed
    if not isinstance(value, str) or not plugins.is_known("grader", value):
        expected = plugins.three_ways("grader", str(value))
        raise DataError(f"{where}: the field 'kind' is {_short(value)}, expected {expected}")
    return kind_of(value)


_NUMBER = re.compile(r"[-+]?[$€£]?\s*[\d.,]*\d[\d.,]*\s*%?")


def _guess_kind(answers: list[tuple[str, ...]]) -> Kind:
    """Math where every answer is a number or holds LaTeX, else factual."""
    every = [answer for group in answers for answer in group]
    if all("\\" in answer or _NUMBER.fullmatch(answer) for answer in every):
        return Kind.MATH
    return Kind.FACTUAL


def _metadata(row: Mapping[str, Any], columns: Columns) -> dict[str, str]:
    """The row's other short fields as text (level, type, url)."""
    used = {columns.question, columns.answer, columns.id, columns.alias, "kind", "solution"}
    return {
        str(name): str(value)
        for name, value in row.items()
        if name not in used and isinstance(value, str | int | float) and len(str(value)) <= 300
    }
