"""The rows of one Ray Train worker, streamed from Parquet through Ray Data while it trains.

The plan decides which sequences stand in which row of which step; tasks of Ray Data read just those from Parquet and
hand them over in order. A worker that goes on at step k streams from step k.
"""

from __future__ import annotations

import bisect
import itertools
import logging
from collections.abc import Iterator
from typing import Any

from agentdistill.train.data.pack import Plan
from agentdistill.train.data.render import Rendered
from agentdistill.train.data.sequences import SEQUENCE, group_starts, sequence_from_row
from agentdistill.train.world import World

#: Rows that one task reads, and rows that wait for the trainer.
ROWS_A_TASK = 32
PREFETCH_BATCHES = 2


def stream_rows(sequences: str, plan: Plan, world: World, first_step: int) -> Iterator[list[Any]]:
    """This rank's rows of each step from `first_step` on, as `loop.rows_of` gives them."""
    from agentdistill.train.data.rows import make_row

    counts = []
    entries: list[dict[str, Any]] = []
    for step in range(first_step, plan.num_steps):
        rows = plan.rows(step, world.size)[world.rank]
        counts.append(len(rows))
        entries.extend({"members": row} for row in rows)
    if not entries:
        return
    stream = _sequences(sequences, entries)
    for count in counts:
        yield [make_row(next(stream)) for _ in range(count)]


def _sequences(path: str, entries: list[dict[str, Any]]) -> Iterator[list[Rendered]]:
    """The sequences of each row in order."""
    import ray.data

    logging.getLogger("ray.data").setLevel(logging.WARNING)
    context = ray.data.DataContext.get_current()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    blocks = max(1, -(-len(entries) // ROWS_A_TASK))
    # The trainer holds the CPUs; reading takes next to none, and must not wait for one.
    rows = ray.data.from_items(entries, override_num_blocks=blocks).map_batches(
        _ReadRows(path), batch_format="pyarrow", batch_size=None, num_cpus=0, zero_copy_batch=True
    )
    for batch in rows.iter_batches(batch_size=ROWS_A_TASK, batch_format="pyarrow", prefetch_batches=PREFETCH_BATCHES):
        for row in batch.column("sequences").to_pylist():
            yield [sequence_from_row(item) for item in row]


class _ReadRows:
    """A task of Ray Data: from lists of sequence numbers to those sequences, reading only their row groups."""

    def __init__(self, path: str):
        self._path = path

    def __call__(self, batch: Any) -> Any:
        import pyarrow as pa
        import pyarrow.parquet as pq

        from agentdistill import storage

        system, inner = storage.filesystem(self._path)
        wanted = batch.column("members").to_pylist()
        with system.open(inner, "rb") as source:
            file = pq.ParquetFile(source)
            found = _read_sequences(file, {index for row in wanted for index in row})
        column = [[found[index] for index in row] for row in wanted]
        return pa.table({"sequences": pa.array(column, pa.list_(pa.struct(list(SEQUENCE))))})


def _read_sequences(file: Any, wanted: set[int]) -> dict[int, dict[str, Any]]:
    found: dict[int, dict[str, Any]] = {}
    starts = group_starts(file)
    for group, members in itertools.groupby(sorted(wanted), lambda index: bisect.bisect_right(starts, index) - 1):
        table = file.read_row_group(group, columns=SEQUENCE.names)
        for index in members:
            found[index] = table.slice(index - starts[group], 1).to_pylist()[0]
    return found
