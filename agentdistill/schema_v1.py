"""Trajectories of version 1, as rows of version 2: the one place that knows the older form.

Version 1 stored the whole conversation beside the steps, and of each step its text, and thought and code as texts of
their own. Here both are found within the text again. Code or thought that does not stand there as it was stored stays
a text of its own (`code_text`, `thought_text`), so that it reads as it always did.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa

from agentdistill.errors import DataError
from agentdistill.final_answer import final_answer_within
from agentdistill.types import BETWEEN_PARTS, OBSERVATION_HEADER

STEP = "steps.list.element."  # in front of a field of a step

_ROWS = 256  # converted at once
_LABEL = re.compile(r"\s*Thought\s*:\s*")
#: What stands in front of code: a fence with its language, a tag, a line.
_OPENS_CODE = re.compile(r"(?:```[ \t]*[A-Za-z0-9_+-]*[ \t]*\r?\n|<code>|^[ \t]*Code\s*:)\s*\Z", re.MULTILINE)
_BOX = "\\boxed{"
_REWORDED = {
    "opening": ("messages",),
    "protocol": ("mode",),
    f"{STEP}parts": (f"{STEP}text", f"{STEP}thought", f"{STEP}code"),
}
_NEW = {f"{STEP}thought_text", f"{STEP}code_text", f"{STEP}observation_header", f"{STEP}observation_role"}


def columns_of(columns: Sequence[str]) -> list[str]:
    """The columns of version 1 from which those of version 2 are made."""
    found = [old for name in columns if name not in _NEW for old in _REWORDED.get(name, (name,))]
    return list(dict.fromkeys(found))


def upgrade(table: pa.Table, schema: pa.Schema, where: str) -> pa.Table:
    """The table, which may have a part of the columns, in the form of `schema`.

    Raises DataError where a row's messages are not those of its steps.
    """
    if "messages" in table.column_names or _has_texts(table):
        target = _part_of(schema, table)
        batches = [
            pa.Table.from_pylist([_row(row, where) for row in table.slice(start, _ROWS).to_pylist()], schema=target)
            for start in range(0, table.num_rows, _ROWS)
        ]
        table = pa.concat_tables(batches) if batches else target.empty_table()
    elif "mode" in table.column_names:
        protocols = [_protocol(mode) for mode in table.column("mode").to_pylist()]
        table = table.append_column(schema.field("protocol"), pa.array(protocols, pa.string()))
    return table.replace_schema_metadata(schema.metadata)


def _has_texts(table: pa.Table) -> bool:
    return bool(_step_fields(table) & {"text", "thought", "code"})


def _step_fields(table: pa.Table) -> set[str]:
    if "steps" not in table.column_names:
        return set()
    return {field.name for field in table.schema.field("steps").type.value_type}


def _part_of(schema: pa.Schema, table: pa.Table) -> pa.Schema:
    """The columns of `schema` that can be made of those of the table; all of them where it is whole."""
    names = set(table.column_names)
    if "messages" in names:
        names.add("opening")
    if "mode" in names:
        names.add("protocol")
    told = _step_fields(table)
    if "text" in told:
        told |= {"parts", "thought_text", "code_text", "observation_header", "observation_role"}
    fields = []
    for field in schema:
        if field.name not in names:
            continue
        if field.name == "steps":
            steps = [item for item in field.type.value_type if "messages" in names or item.name in told]
            field = pa.field("steps", pa.list_(pa.struct(steps)))
        fields.append(field)
    return pa.schema(fields)


def _row(row: dict[str, Any], where: str) -> dict[str, Any]:
    protocol = _protocol(row.get("mode") or "")
    answer = (row.get("answer") or "") if protocol == "chain_of_thought" else ""
    steps = [_step(step, answer) for step in row.get("steps") or ()]
    opening, turns = _turns(row.get("messages") or ())
    if "messages" in row and "steps" in row:
        _check(row, steps, turns, where)
        for step, turn in zip(steps, turns, strict=True):
            _note_observation(step, turn[1:])
    return {**row, "protocol": protocol, "opening": opening, "steps": steps}


def _protocol(mode: str) -> str:
    return "chain_of_thought" if mode.removeprefix("vote_").startswith("cot") else "thought_code"


def _turns(messages: Iterable[dict[str, str]]) -> tuple[list[dict[str, str]], list[list[dict[str, str]]]]:
    """What stands before the agent's first turn, and each turn with what follows it."""
    opening: list[dict[str, str]] = []
    turns: list[list[dict[str, str]]] = []
    for message in messages:
        if message["role"] == "assistant":
            turns.append([message])
        else:
            (turns[-1] if turns else opening).append(message)
    return opening, turns


def _check(row: dict[str, Any], steps: list[dict[str, Any]], turns: list[list[dict[str, str]]], where: str) -> None:
    same = len(steps) == len(turns) and all(
        step["text"] == turn[0]["content"]
        and len(turn) <= 2
        and (len(turn) == 1 or turn[1]["content"].endswith(step["observation"] or ""))
        for step, turn in zip(steps, turns, strict=True)
    )
    if not same:
        raise DataError(
            f"{where}: the messages of {row['question_id']}, sample {row['sample_index']}, are not those of its steps, "
            "expected each step's text and observation in its turn"
        )


def _note_observation(step: dict[str, Any], followed: list[dict[str, str]]) -> None:
    """Who spoke the observation and under which header, where that is not as ever."""
    if followed:
        content, seen = followed[0]["content"], step["observation"] or ""
        header = content[: len(content) - len(seen)]
        step["observation_header"] = None if header == OBSERVATION_HEADER else header
        step["observation_role"] = None if followed[0]["role"] == "user" else followed[0]["role"]


def _step(row: dict[str, Any], answer: str) -> dict[str, Any]:
    if "text" not in row:
        return row
    text, thought, code = row["text"], row.get("thought") or "", row.get("code") or ""
    said = _thought_span(text, thought)
    pieces = _code_spans(text, code, said[1] if said else 0)
    spans = [("thought", *said)] if said and thought else []
    spans += [("code", *piece) for piece in pieces or ()]
    found = final_answer_within(text, pieces or ()) or _answer_span(text, answer)
    spans += [("answer", *found)] if found else []
    kept = {name: value for name, value in row.items() if name not in ("thought", "code")}
    return {
        **kept,
        "parts": [{"kind": kind, "start": start, "end": end} for kind, start, end in spans],
        "thought_text": thought if said is None else None,
        "code_text": code if pieces is None else None,
    }


def _thought_span(text: str, thought: str) -> tuple[int, int] | None:
    """Where the thought stands, its label not counted; None where it does not."""
    label = _LABEL.match(text)
    start = 0 if text == thought else text.find(thought, label.end() if label else 0)
    return None if start < 0 else (start, start + len(thought))


def _code_spans(text: str, code: str, after: int) -> list[tuple[int, int]] | None:
    """Where the blocks stand that were joined to the code; None where they do not.

    A block may hold blank lines itself, so the longest run of the code's paragraphs that stands in one place is one.
    """
    spans: list[tuple[int, int]] = []
    rest = code
    while rest:
        paragraphs = rest.split(BETWEEN_PARTS)
        for count in range(len(paragraphs), 0, -1):
            block = BETWEEN_PARTS.join(paragraphs[:count])
            start = _find_block(text, block, after)
            if start >= 0 and block:
                break
        else:
            return None
        after = start + len(block)
        spans.append((start, after))
        rest = BETWEEN_PARTS.join(paragraphs[count:])
        if count < len(paragraphs) and not rest:
            return None  # an empty block at the end
    return spans


def _find_block(text: str, block: str, after: int) -> int:
    """Where the block stands behind `after`: best behind what opens code, else at its first place; -1 for nowhere."""
    first = start = text.find(block, after)
    while start >= 0:
        if _OPENS_CODE.search(text, 0, start):
            return start
        start = text.find(block, start + 1)
    return first


def _answer_span(text: str, answer: str) -> tuple[int, int] | None:
    """Where a chain of thought gives its answer: in its last box, else where it stands last."""
    box = text.rfind(_BOX)
    start = text.find(answer, box + len(_BOX)) if box >= 0 else -1
    if not answer or (start < 0 and (start := text.rfind(answer)) < 0):
        return None
    return start, start + len(answer)
