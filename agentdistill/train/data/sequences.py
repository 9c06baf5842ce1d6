"""The rendered training set: examples as token ids, checked, on storage, and read back a row at a time."""

from __future__ import annotations

import bisect
import functools
import itertools
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from agentdistill import storage
from agentdistill.config.train import TrainConfig
from agentdistill.errors import DataError
from agentdistill.train.data.examples import Columns
from agentdistill.train.data.render import Rendered, Renderer
from agentdistill.types import TrainingExample

#: One sequence: the fields of Rendered.
SEQUENCE = pa.schema(
    [
        ("example_id", pa.string()),
        ("part", pa.int32()),
        ("token_ids", pa.list_(pa.int32())),
        ("weights", pa.list_(pa.float32())),
        ("columns", pa.map_(pa.string(), pa.float32())),
    ]
)
SCHEMA = pa.schema(
    [*SEQUENCE, ("num_tokens", pa.int32()), ("held_out", pa.bool_())],
    metadata={b"agentdistill.schema": b"rendered_sequences", b"agentdistill.version": b"1"},
)
#: Sequences a row group of the Parquet file: what one random access reads; and how many groups stay in memory.
ROW_GROUP = 64
KEPT_GROUPS = 16


@dataclass(frozen=True, slots=True)
class RenderCounts:
    """What rendering did to the training set."""

    examples: int = 0  # read
    held_out: int = 0  # examples set aside
    dropped_too_long: int = 0
    cut_too_long: int = 0
    sequences: int = 0  # trained on
    tokens: int = 0  # of the trained sequences, one epoch
    trained_tokens: int = 0


class SequenceSet:
    """The rendered sequences of a file: ids, lengths and who is held out in memory, `[index]` reads one."""

    def __init__(self, path: str):
        system, inner = storage.filesystem(path)
        self._file = pq.ParquetFile(system.open(inner, "rb"))
        table = self._file.read(columns=["example_id", "num_tokens", "held_out"])
        flags = table.column("held_out").to_pylist()
        self.held_out = [index for index, flag in enumerate(flags) if flag]
        self.training = [index for index, flag in enumerate(flags) if not flag]
        self.example_ids: list[str] = table.column("example_id").to_pylist()
        self.lengths: list[int] = table.column("num_tokens").to_pylist()
        self._starts = group_starts(self._file)
        self._groups = functools.lru_cache(maxsize=KEPT_GROUPS)(self._read_group)

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, index: int) -> Rendered:
        group = bisect.bisect_right(self._starts, index) - 1
        return sequence_from_row(self._groups(group).slice(index - self._starts[group], 1).to_pylist()[0])

    def groups(self, indices: Sequence[int]) -> list[list[int]]:
        """The sequences of each example, in order."""
        grouped: dict[str, list[int]] = {}
        for index in indices:
            grouped.setdefault(self.example_ids[index], []).append(index)
        return list(grouped.values())

    def _read_group(self, group: int) -> pa.Table:
        return self._file.read_row_group(group, columns=SEQUENCE.names).combine_chunks()


def group_starts(file: pq.ParquetFile) -> list[int]:
    """[num_row_groups] the number of the first row of each."""
    sizes = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
    return [0, *itertools.accumulate(sizes[:-1])]


def sequence_from_row(row: dict[str, Any]) -> Rendered:
    """What `SEQUENCE` holds of a sequence."""
    columns = tuple((name, value) for name, value in row["columns"] or ())
    return Rendered(row["example_id"], row["part"], tuple(row["token_ids"]), tuple(row["weights"]), columns)


def write_sequences(path: str, table: pa.Table) -> None:
    """Write the table whole or not at all, in small row groups."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", row_group_size=ROW_GROUP)
    storage.write_bytes(path, sink.getvalue().to_pybytes())


def render_all(
    examples: Iterable[TrainingExample],
    renderer: Renderer,
    config: TrainConfig,
    columns: Mapping[str, Columns] = MappingProxyType({}),
) -> tuple[pa.Table, RenderCounts]:
    """Render and check every example; return the table and what was counted.

    `columns` are the numbers that the objective asks for, by example id. They go with each of its sequences.
    Longer than `max_length`: with `too_long: drop` the example is left out; with `cut` it keeps the leading tokens up
    to its last trained turn that ends within the limit, and is left out where none does. Raises DataError where an
    example cannot be trained on, or nothing is left.
    """
    kept: list[tuple[TrainingExample, list[Rendered]]] = []
    seen: set[str] = set()
    read = dropped = cut = 0
    for example in examples:
        read += 1
        if example.example_id in seen:
            raise DataError(f"example {example.example_id}: its id stands twice in the training set")
        seen.add(example.example_id)
        sequences = renderer.render(example)
        if any(sequence.num_tokens > config.max_length for sequence in sequences):
            sequences = _shorten(sequences, renderer, config)
            cut += bool(sequences)
            dropped += not sequences
        if sequences:
            numbers = columns.get(example.example_id, ())
            kept.append((example, [replace(sequence, columns=numbers) for sequence in sequences]))
    if not read:
        raise DataError("the training set is empty: selection kept no trajectory; see its reasons in the select step")
    if not kept:
        raise DataError(
            f"none of the {read} training examples fits train.max_length = {config.max_length} tokens; raise it"
        )
    # Trajectories lie in the order in which their episodes ended, which no seed decides: the same ones in another order
    # must be trained on alike.
    kept.sort(key=lambda pair: (pair[0].question_id, pair[0].sample_index, pair[0].example_id))
    held_out = _held_out([example for example, _ in kept], config)
    table = _to_table(kept, held_out)
    return table, _counts(kept, held_out, read, dropped, cut)


def _shorten(sequences: list[Rendered], renderer: Renderer, config: TrainConfig) -> list[Rendered]:
    if config.too_long == "drop":
        return []
    result = []
    for sequence in sequences:
        limit = min(sequence.num_tokens, config.max_length)
        # A trained end-of-turn token is where a turn ends whole.
        ends = [
            place
            for place in range(limit)
            if sequence.weights[place] > 0 and sequence.token_ids[place] in renderer.stop_ids
        ]
        if ends:
            end = ends[-1] + 1
            result.append(replace(sequence, token_ids=sequence.token_ids[:end], weights=sequence.weights[:end]))
    return result


def _held_out(examples: Sequence[TrainingExample], config: TrainConfig) -> set[str]:
    """Ids of the examples set aside: whole questions, so that no question is on both sides."""
    if not config.held_out_share:
        return set()
    questions = sorted({(example.task, example.question_id) for example in examples})
    if len(questions) < 2:
        raise DataError(
            f"train.held_out_share = {config.held_out_share}: the training set has {len(questions)} question, expected "
            "at least 2 to set one aside"
        )
    random.Random(f"{config.seed}/held-out").shuffle(questions)
    count = min(len(questions) - 1, max(1, round(len(questions) * config.held_out_share)))
    chosen = set(questions[:count])
    return {example.example_id for example in examples if (example.task, example.question_id) in chosen}


def _to_table(kept: list[tuple[TrainingExample, list[Rendered]]], held_out: set[str]) -> pa.Table:
    rows: list[dict[str, Any]] = []
    for example, sequences in kept:
        more = {"held_out": example.example_id in held_out}
        rows.extend({**asdict(item), "num_tokens": item.num_tokens, **more} for item in sequences)
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _counts(
    kept: list[tuple[TrainingExample, list[Rendered]]], held_out: set[str], read: int, dropped: int, cut: int
) -> RenderCounts:
    trained = [item for example, items in kept if example.example_id not in held_out for item in items]
    return RenderCounts(
        examples=read,
        held_out=len(held_out),
        dropped_too_long=dropped,
        cut_too_long=cut,
        sequences=len(trained),
        tokens=sum(item.num_tokens for item in trained),
        trained_tokens=sum(item.num_trained for item in trained),
    )
