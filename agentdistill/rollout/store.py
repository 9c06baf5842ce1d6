"""The trajectories of one run on storage: small files while the run goes on, few large ones afterwards.

Every file is written whole. Where the same key stands twice (an actor died after its write and before its report), one
row counts: `agentdistill.types.counts_over` says which.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import pyarrow as pa

from agentdistill import storage
from agentdistill.errors import DataError
from agentdistill.schema import TRAJECTORIES, trajectories_to_table
from agentdistill.types import StopReason, Trajectory, counts_over

Key = tuple[str, int]  # question id, sample index: unique within one run's folder

_PART = "part-"
_COMPACT = "trajectories-"
_TORN = "torn-"
_KEY_COLUMNS = ["question_id", "sample_index", "stop_reason"]
_ROWS_PER_FILE = 2_000
_SMALL_ROWS = 64  # a part file with fewer is merged with others like it
_MERGED_FILES = 64  # at once, by the actor that wrote them

_logger = logging.getLogger(__name__)


@dataclass
class Inventory:
    """What a folder of trajectories holds."""

    winners: dict[Key, tuple[str, int]] = field(default_factory=dict)  # key -> file and row that count
    endings: dict[Key, StopReason] = field(default_factory=dict)  # key -> how its winner ended
    torn: list[str] = field(default_factory=list)  # files that were set aside, by name
    rows_of: dict[str, int] = field(default_factory=dict)  # rows of each file

    @property
    def num_rows(self) -> int:
        return sum(self.rows_of.values())

    @property
    def finished(self) -> set[Key]:
        """All finished keys, as a new set; ask `is_finished` for one."""
        return {key for key, ended in self.endings.items() if not ended.is_system}

    @property
    def failed(self) -> set[Key]:
        """Keys whose winner is a system failure, as a new set."""
        return {key for key, ended in self.endings.items() if ended.is_system}

    def is_finished(self, key: Key) -> bool:
        return key in self.endings and not self.endings[key].is_system

    def offer(self, key: Key, place: tuple[str, int], ended: StopReason) -> None:
        self.rows_of[place[0]] = self.rows_of.get(place[0], 0) + 1
        if key not in self.endings or counts_over(ended, self.endings[key]):
            self.winners[key], self.endings[key] = place, ended


def take_inventory(folder: str, clean: bool = False) -> Inventory:
    """Read the keys of every file.

    With `clean` (only where nobody else writes), what interrupted writers left is removed and a torn file is renamed to
    `torn-NAME.broken`, so that its rows are made again; else a torn file raises DataError, and a file that an actor
    merges into another meanwhile may be left out.
    """
    inventory = Inventory()
    if clean:
        storage.remove_temporary(folder)
    for path in storage.parquet_files(folder):
        try:
            table = storage.read_table(path, TRAJECTORIES, _KEY_COLUMNS)
        except FileNotFoundError:
            continue
        except DataError as error:
            if not clean:
                raise
            inventory.torn.append(_set_aside(path))
            _logger.warning("%s; set aside, its trajectories are made again", error)
            continue
        ids, samples, reasons = (table.column(name).to_pylist() for name in _KEY_COLUMNS)
        for row, (question_id, sample, reason) in enumerate(zip(ids, samples, reasons, strict=True)):
            inventory.offer((question_id, sample), (path, row), StopReason(reason))
    return inventory


def compact(folder: str) -> Inventory:
    """Rewrite the folder as few large files, one row a key, and return what it then holds.

    Large files in which every row counts stay as they are. The new ones are complete before the old ones go, so a kill
    in between costs nothing but space.
    """
    inventory = take_inventory(folder)
    sources = storage.parquet_files(folder)
    if not any(PurePosixPath(path).name.startswith(_PART) for path in sources):
        return inventory
    winners: dict[str, list[int]] = {path: [] for path in sources}
    for path, row in inventory.winners.values():
        winners[path].append(row)
    rewritten = [path for path in sources if not _is_compact(path, len(winners[path]), inventory.rows_of.get(path, 0))]
    _rewrite(folder, ((path, winners[path]) for path in rewritten))
    _remove(rewritten)
    return take_inventory(folder)


def _is_compact(path: str, num_winners: int, num_rows: int) -> bool:
    return PurePosixPath(path).name.startswith(_COMPACT) and num_winners == num_rows >= _ROWS_PER_FILE


def _rewrite(folder: str, sources: Iterable[tuple[str, list[int]]]) -> None:
    """Write the given rows of the given files into large files, a few of which are held in memory at a time."""
    generation = uuid.uuid4().hex[:8]
    pending: list[pa.Table] = []
    num_pending = written = 0
    for path, rows in sources:
        if rows:
            pending.append(storage.read_table(path, TRAJECTORIES).take(sorted(rows)))
            num_pending += len(rows)
        while num_pending >= _ROWS_PER_FILE:
            merged = pa.concat_tables(pending)
            _write_compact(folder, generation, written, merged.slice(0, _ROWS_PER_FILE))
            pending, written = [merged.slice(_ROWS_PER_FILE)], written + 1
            num_pending -= _ROWS_PER_FILE
    if num_pending:
        _write_compact(folder, generation, written, pa.concat_tables(pending))


def _remove(paths: Iterable[str]) -> None:
    for path in paths:
        system, inner = storage.filesystem(path)
        system.rm(inner)


def _write_compact(folder: str, generation: str, index: int, table: pa.Table) -> None:
    storage.write_table(storage.join(folder, f"{_COMPACT}{generation}-{index:05d}.parquet"), table)


def _set_aside(path: str) -> str:
    system, inner = storage.filesystem(path)
    place = PurePosixPath(inner)
    # Without the .parquet ending, so that no reader takes it for data.
    target = str(place.with_name(f"{_TORN}{place.name}.broken"))
    system.mv(inner, target)
    return target


class GroupWriter:
    """Writes trajectories in groups: `add` returns once its trajectory is on storage, about `flush_s` later.

    An actor that runs for hours writes thousands of small files; it merges its own as it goes, so that no one who
    reads the folder meets more than a few hundred.
    """

    def __init__(self, folder: str, flush_s: float) -> None:
        self._folder, self._flush_s = folder, flush_s
        self._pending: list[Trajectory] = []
        self._flushed: asyncio.Future[None] | None = None
        self._small: list[str] = []

    async def add(self, trajectory: Trajectory) -> None:
        """Raises RunFolderError where the storage refuses (a full disk among others)."""
        if self._flushed is None:
            self._flushed = asyncio.get_running_loop().create_future()
            self._task = asyncio.create_task(self._flush_later(self._flushed))
        flushed = self._flushed
        self._pending.append(trajectory)
        await asyncio.shield(flushed)

    async def _flush_later(self, flushed: asyncio.Future[None]) -> None:
        await asyncio.sleep(self._flush_s)
        group, self._pending, self._flushed = self._pending, [], None
        path = _part_path(self._folder)
        try:
            await asyncio.to_thread(lambda: storage.write_table(path, trajectories_to_table(group)))
            if len(group) < _SMALL_ROWS:
                self._small.append(path)
            if len(self._small) >= _MERGED_FILES:
                small, self._small = self._small, []
                # Before anyone is told: while a call is open nobody compacts the folder.
                await asyncio.to_thread(_merge, self._folder, small)
        except BaseException as error:
            flushed.set_exception(error)
            flushed.exception()  # every waiter gets it; asyncio need not warn where there is none any more
        else:
            flushed.set_result(None)


def _part_path(folder: str) -> str:
    return storage.join(folder, f"{_PART}{uuid.uuid4().hex}.parquet")


def _merge(folder: str, paths: list[str]) -> None:
    """Write small part files as one; a kill before they are gone leaves rows twice, of which one counts."""
    merged = pa.concat_tables([storage.read_table(path, TRAJECTORIES) for path in paths])
    storage.write_table(_part_path(folder), merged)
    _remove(paths)
