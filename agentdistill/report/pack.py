"""Trajectories as the page holds them: an index of columns and chunks of texts, each compressed JSON in base64.

A chunk is JSON Lines: one line of texts a trajectory, in the order of the index, then one last line with the numbers of
all of them. The page searches the lines of texts as they are, so numbers stand apart.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from agentdistill.evaluate.votes import ballots
from agentdistill.report.cells import Cell
from agentdistill.report.facts import Fact, Position
from agentdistill.report.folder import RunData
from agentdistill.report.tokens import Colored, colored_tokens
from agentdistill.schema import TRAJECTORIES, thought_and_code
from agentdistill.storage import STEP, read_columns

FIELD_CHARS = 20_000  # of one thought, code or observation; the rest stays in the Parquet file
CHUNK_CHARS = 1_000_000
TOKEN_EXAMPLES = 200  # trajectories of a run whose trained tokens are shown one by one
_STEP_TEXTS = ("text", "parts", "thought_text", "code_text", "observation", "error_message")
_STEP_NUMBERS = ("num_prompt_tokens", "num_completion_tokens", "num_tool_calls", "generation_s", "sandbox_s", "tools_s")
_COLUMNS = [
    *("answer", "error", "first_thought_prefix"),
    *(f"{STEP}{name}" for name in (*_STEP_TEXTS, *_STEP_NUMBERS, "error", "candidates")),
]


@dataclass(frozen=True, slots=True)
class Packed:
    """What the page embeds."""

    index: str  # base64 of gzip of JSON
    chunks: tuple[str, ...]  # base64 of gzip of JSON Lines
    tokens: str  # base64 of gzip of JSON: trajectory -> its sequences; empty where there is none
    shown: int  # trajectories in the page
    total: int  # trajectories in the run folders


def pack(runs: Sequence[RunData], limit: int) -> Packed:
    """Pack at most `limit` trajectories. Those of one question stay together as far as fits."""
    cells = [cell for run in runs for cell in run.everything]
    shown = _within(cells, limit)
    placed = sorted(shown, key=lambda item: (item[0], item[1].position.path, item[1].position.row))
    chunks, starts = [], []
    for start, lines, numbers in _chunks(_texts(fact for _, fact in placed)):
        starts.append(start)
        chunks.append(_encode("\n".join([*lines, json.dumps(numbers, separators=(",", ":"))])))
    index, tokens = _index(runs, cells, placed, starts), _tokens(runs, cells, placed)
    return Packed(
        _encode(_json(index)),
        tuple(chunks),
        _encode(_json(tokens)) if tokens else "",
        len(shown),
        sum(len(cell.facts) for cell in cells),
    )


def _within(cells: Sequence[Cell], limit: int) -> list[tuple[int, Fact]]:
    everything = [(number, fact) for number, cell in enumerate(cells) for fact in cell.facts]
    if len(everything) <= limit:
        return everything
    # A question's place depends on its id alone: the same questions are shown of each cell, and again next time.
    ranked = sorted(everything, key=lambda item: (_rank(item[1].episode.question_id), item[0]))
    return ranked[:limit]


def _tokens(runs: Sequence[RunData], cells: Sequence[Cell], placed: list[tuple[int, Fact]]) -> dict[int, list[Colored]]:
    found: dict[int, list[Colored]] = {}
    for run in runs:
        examples = {
            "/".join(map(str, fact.key)): place
            for place, (number, fact) in enumerate(placed)
            if cells[number] is run.teacher and fact.key in run.trained_keys
        }
        found.update(colored_tokens(run, examples, TOKEN_EXAMPLES))
    return found


def _rank(question_id: str) -> bytes:
    return hashlib.blake2b(question_id.encode(), digest_size=8).digest()


def _index(runs: Sequence[RunData], cells: Sequence[Cell], placed: list[tuple[int, Fact]], starts: list[int]) -> Any:
    questions = _Numbering()
    tasks, reasons = _Numbering(), _Numbering()
    trained = {run.name: run.trained_keys for run in runs}
    columns: dict[str, list[Any]] = {name: [] for name in _INDEX_COLUMNS}
    votes = _ballots(cells)
    for number, fact in placed:
        episode, cell = fact.episode, cells[number]
        question, gold = _cut(fact.question), tuple(_cut(answer) for answer in fact.gold_answers)
        columns["cell"].append(number)
        columns["question"].append(questions.of((episode.question_id, question, gold, tasks.of(episode.task))))
        columns["sample"].append(fact.key[2])
        columns["seed"].append(episode.seed)
        columns["correct"].append(-1 if episode.correct is None else int(episode.correct))
        columns["reason"].append(reasons.of(str(episode.stop_reason)))
        columns["steps"].append(episode.num_steps)
        columns["tokens"].append(episode.num_completion_tokens)
        columns["calls"].append(episode.num_tool_calls)
        columns["invalid"].append(episode.num_invalid_actions)
        columns["errors"].append(episode.num_execution_errors)
        columns["seconds"].append(round(episode.duration_s, 1))
        columns["answer"].append(fact.answer)
        columns["candidates"].append(fact.num_candidates)
        columns["vote"].append(votes.get(fact.position))
        columns["trained"].append(int(cell.is_teacher and fact.key in trained[cell.run]))
    return {
        "cells": [_cell_entry(cell, runs) for cell in cells],
        "tasks": tasks.items,
        "reasons": reasons.items,
        "questions": questions.items,
        "starts": starts,
        **columns,
    }


_INDEX_COLUMNS = (
    "vote",
    *("cell", "question", "sample", "seed", "correct", "reason", "steps", "tokens", "calls", "invalid", "errors"),
    *("seconds", "answer", "candidates", "trained"),
)


def _cell_entry(cell: Cell, runs: Sequence[RunData]) -> dict[str, Any]:
    run = next(run for run in runs if run.name == cell.run)
    names = ("mask_failed_actions", "train_on_prefix", "thought_weight", "code_weight", "final_weight")
    return {
        "label": cell.label,
        "model": cell.model,
        "mode": cell.mode,
        "teacher": cell.is_teacher,
        "loss": {name: run.setting(f"train.{name}") for name in names},
    }


def _ballots(cells: Sequence[Cell]) -> dict[Position, list[int]]:
    """Of each episode that voted: how many agree with it, how many voted, and whether its answer was taken."""
    found = {}
    for cell in cells:
        if not cell.votes:
            continue
        for fact, ballot in zip(cell.facts, ballots([fact.episode for fact in cell.facts]), strict=True):
            if ballot is not None:
                found[fact.position] = [ballot.agree, ballot.voters, int(ballot.taken)]
    return found


class _Numbering:
    """Numbers things in the order in which they are first seen."""

    def __init__(self) -> None:
        self.items: list[Any] = []
        self._numbers: dict[Any, int] = {}

    def of(self, item: Any) -> int:
        number = self._numbers.setdefault(item, len(self.items))
        if number == len(self.items):
            self.items.append(item)
        return number


def _texts(facts: Iterable[Fact]) -> Iterator[tuple[str, list[Any]]]:
    """For each trajectory its line of texts and its numbers; files are read one at a time."""
    path, rows = "", None
    for fact in facts:
        if rows is None or fact.position.path != path:
            path = fact.position.path
            rows = read_columns(path, TRAJECTORIES, _COLUMNS)
        row = rows.slice(fact.position.row, 1).to_pylist()[0]
        steps = row["steps"] or []
        answer = row["answer"] if row["answer"] is None else _cut(row["answer"])
        error, prefix = (_cut(row[name] or "") for name in ("error", "first_thought_prefix"))
        texts = [answer, error, prefix, [_step_texts(step) for step in steps]]
        yield _json(texts), [_step_numbers(step) for step in steps]


def _chunks(texts: Iterable[tuple[str, list[Any]]]) -> Iterator[tuple[int, list[str], list[Any]]]:
    """Group lines into chunks: (number of the first trajectory, lines, numbers)."""
    start = size = 0
    lines: list[str] = []
    numbers: list[Any] = []
    for line, row in texts:
        lines.append(line)
        numbers.append(row)
        size += len(line)
        if size >= CHUNK_CHARS:
            yield start, lines, numbers
            start, size, lines, numbers = start + len(lines), 0, [], []
    if lines:
        yield start, lines, numbers


def _step_texts(step: dict[str, Any]) -> list[Any]:
    # The whole turn is kept only where it did not split into Thought and Code: it says nothing new elsewhere.
    thought, code = thought_and_code(step)
    whole = "" if code else step["text"]
    candidates = [
        [_cut(item[name] or "") for name in ("thought", "code", "outcome_key", "error")]
        for item in step["candidates"] or ()
    ]
    named = [_cut(text or "") for text in (thought, code, step["observation"], step["error_message"])]
    return [*named, _cut(whole or ""), candidates]


def _step_numbers(step: dict[str, Any]) -> list[Any]:
    chosen = next((i for i, item in enumerate(step["candidates"] or ()) if item["chosen"]), -1)
    numbers = [round(step[name] or 0, 3) for name in _STEP_NUMBERS]
    return [step["error"] or "", chosen, *numbers]


def _cut(text: str) -> str:
    if len(text) <= FIELD_CHARS:
        return text
    return f"{text[:FIELD_CHARS]}\n[{len(text) - FIELD_CHARS:,} more characters stand in the Parquet file]"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _encode(text: str) -> str:
    return base64.b64encode(gzip.compress(text.encode("utf-8", "replace"), compresslevel=6, mtime=0)).decode("ascii")
