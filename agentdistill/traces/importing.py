"""Trajectories that others published, as trajectories of ours: `agentdistill select` goes on from there."""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from agentdistill import storage
from agentdistill.errors import DataError
from agentdistill.rows import FORMATS, HUB_PREFIX, read_rows, stem
from agentdistill.schema import trajectories_to_table
from agentdistill.traces.conversations import UnreadableRowError
from agentdistill.traces.formats.base import Format
from agentdistill.traces.published import AUTO, RowReader, form_of
from agentdistill.types import Trajectory

log = logging.getLogger(__name__)

ROWS_PER_FILE = 2_000
_FORMATS = {suffix: FORMATS[suffix] for suffix in (".jsonl", ".ndjson", ".parquet")}


@dataclass(frozen=True, slots=True)
class ImportSummary:
    """What became of the rows: total = imported + all skipped."""

    total: int
    imported: int
    skipped: dict[str, int]  # reason -> count
    folder: str


def import_trajectories(
    source: str,
    folder: str,
    *,
    form: str = AUTO,
    task: str | None = None,
    kind: str | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> ImportSummary:
    """Read `source` row by row and write Parquet files of at most 2,000 trajectories into `folder`.

    `source` is a JSON Lines or Parquet file, or `hub:OWNER/NAME[:SPLIT]`. `form` "auto" goes by the first row: a column
    `log_data` is smolagents', a column `messages` is chat; else it is the name of a form, built in or one's own. `task`
    None takes the source's name. `kind` None takes each row's own column `kind`. `on_progress` gets the rows read and
    those imported after every file.

    A row that holds no readable conversation is skipped and counted. The files appear in `folder` once all are written;
    importing the same source again replaces them. Raises DataError where the source is broken, where nothing could be
    imported, or where the folder holds trajectories of something else; the folder then stays as it was.
    """
    run_id = _run_id(source)
    _refuse_foreign(folder, run_id)
    staging = storage.join(folder, f"{storage.TEMPORARY_PREFIX}{run_id}")
    _remove(staging)
    writer = _Writer(staging, run_id)
    reader = RowReader(run_id, task or stem(source), kind)
    skipped: Counter[str] = Counter()
    total = 0
    try:
        for where, row, chosen in _in_form(source, form):
            total += 1
            try:
                trajectory = reader.read(where, row, chosen)
            except UnreadableRowError as error:
                _count(skipped, where, str(error))
                continue
            if writer.add(trajectory) and on_progress is not None:
                on_progress(total, writer.num_rows)
        writer.flush()
        if not writer.num_rows:
            why = ", ".join(f"{reason}: {count}" for reason, count in skipped.most_common())
            raise DataError(f"{source}: none of {total} rows could be imported ({why})")
        _publish(staging, folder, run_id)
    finally:
        _remove(staging)
    if on_progress is not None:
        on_progress(total, writer.num_rows)
    return ImportSummary(total, writer.num_rows, dict(skipped.most_common()), folder)


def _count(skipped: Counter[str], where: str, reason: str) -> None:
    if reason not in skipped:
        log.warning("%s: skipped: %s; further such rows are only counted", where, reason)
    skipped[reason] += 1


def _run_id(source: str) -> str:
    """The same for the same source, so that a second import replaces the first."""
    place = source if source.startswith(HUB_PREFIX) else storage.filesystem(source)[1]
    return f"imported-{hashlib.sha256(place.encode()).hexdigest()[:8]}"


def _is_own(path: str, run_id: str) -> bool:
    return PurePosixPath(path).name.startswith(f"{run_id}-")


def _refuse_foreign(folder: str, run_id: str) -> None:
    foreign = [path for path in storage.parquet_files(folder) if not _is_own(path, run_id)]
    if foreign:
        raise DataError(
            f"{folder}: holds trajectories that do not come from this source ({PurePosixPath(foreign[0]).name}, "
            f"{len(foreign)} files in all), expected an empty folder or the same import again"
        )


def _publish(staging: str, folder: str, run_id: str) -> None:
    """Put the finished files in the place of those of an earlier import of the same source."""
    for path in storage.parquet_files(folder):
        if _is_own(path, run_id):
            _remove(path)
    for path in storage.parquet_files(staging):
        system, inner = storage.filesystem(path)
        system.mv(inner, storage.filesystem(storage.join(folder, PurePosixPath(path).name))[1])


def _remove(path: str) -> None:
    system, inner = storage.filesystem(path)
    if system.exists(inner):
        system.rm(inner, recursive=True)


def _in_form(source: str, form: str) -> Iterator[tuple[str, dict[str, Any], Format]]:
    """The rows, and the form of them all; the first row decides."""
    chosen: Format | None = None
    for where, row in read_rows(source, formats=_FORMATS, holds="trajectory"):
        if chosen is None:
            chosen = form_of(where, row, form)
        yield where, row, chosen
    if chosen is None:
        raise DataError(f"{source}: there are no rows, expected at least one trajectory")


@dataclass
class _Writer:
    folder: str
    run_id: str
    num_rows: int = 0
    num_files: int = 0
    waiting: list[Trajectory] = field(default_factory=list)

    def add(self, trajectory: Trajectory) -> bool:
        """Take one; True where that filled a file and wrote it."""
        self.waiting.append(trajectory)
        self.num_rows += 1
        if len(self.waiting) < ROWS_PER_FILE:
            return False
        self.flush()
        return True

    def flush(self) -> None:
        if self.waiting:
            path = storage.join(self.folder, f"{self.run_id}-{self.num_files:05d}.parquet")
            storage.write_table(path, trajectories_to_table(self.waiting))
            self.num_files += 1
            self.waiting.clear()
