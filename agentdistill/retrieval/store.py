"""The passages beside the index: a memory-mapped Arrow file, read by row number in batches."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from agentdistill.errors import DataError
from agentdistill.retrieval.corpus import BATCH_ROWS, PASSAGES

FILE = "passages.arrow"


def write_passages(batches: Iterable[pa.RecordBatch], path: Path) -> tuple[int, str]:
    """Write a stream of passages; return how many, and a checksum of their contents.

    Every record batch of the file but the last has BATCH_ROWS rows, so that a row number gives its place.
    Raises DataError for two rows with one id, and for an empty corpus.
    """
    digest = hashlib.sha256()
    hashes: list[np.ndarray] = []
    count = 0
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, PASSAGES) as writer:
        for batch in _rebatched(batches):
            writer.write_batch(batch)
            hashes.append(_id_hashes(batch.column("id")))
            _update(digest, batch)
            count += batch.num_rows
    if count == 0:
        raise DataError("the corpus is empty: expected at least one passage")
    _refuse_duplicates(path, np.concatenate(hashes))
    return count, digest.hexdigest()


class PassageStore:
    """Passages by row number, without holding any of them."""

    def __init__(self, path: Path) -> None:
        """Raises DataError where the file is missing, torn, or another's."""
        try:
            self._reader = pa.ipc.open_file(pa.memory_map(str(path)))
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"{path}: not a complete file of passages: {error}") from error
        if not self._reader.schema.equals(PASSAGES):
            raise DataError(f"{path}: its columns are {self._reader.schema.names}, expected {PASSAGES.names}")
        self._batches = [self._reader.get_batch(i) for i in range(self._reader.num_record_batches)]
        self._count = sum(batch.num_rows for batch in self._batches)

    def __len__(self) -> int:
        return self._count

    def fetch(self, rows: Iterable[int]) -> list[tuple[str, str, str]]:
        """The (id, title, text) of each row number, in the order asked for."""
        found = []
        for row in rows:
            columns = self._batches[row // BATCH_ROWS].columns
            offset = row % BATCH_ROWS
            found.append((columns[0][offset].as_py(), columns[1][offset].as_py(), columns[2][offset].as_py()))
        return found

    def scan(self, start: int, stop: int) -> Iterator[tuple[str, str, str]]:
        """The (id, title, text) of the rows from start to stop, one at a time."""
        while start < stop:
            batch = self._batches[start // BATCH_ROWS]
            offset = start % BATCH_ROWS
            part = batch.slice(offset, min(stop - start, batch.num_rows - offset))
            yield from zip(*(column.to_pylist() for column in part.columns), strict=True)
            start += part.num_rows


def _rebatched(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    held: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        held.append(batch)
        rows += batch.num_rows
        while rows >= BATCH_ROWS:
            table = pa.Table.from_batches(held).combine_chunks()
            yield table.slice(0, BATCH_ROWS).to_batches()[0]
            held, rows = table.slice(BATCH_ROWS).to_batches(), rows - BATCH_ROWS
    if rows:
        yield pa.Table.from_batches(held).combine_chunks().to_batches()[0]


def _update(digest: hashlib._Hash, batch: pa.RecordBatch) -> None:
    """Lengths and bytes of each column: the same for equal passages, however they were stored."""
    for column in batch.columns:
        _, offsets, data = column.buffers()
        edges = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
        digest.update(np.diff(edges).tobytes())
        if data is not None:
            digest.update(memoryview(data)[edges[0] : edges[-1]])


def _id_hashes(ids: pa.StringArray) -> np.ndarray:
    digests = b"".join(hashlib.blake2b(text.encode(), digest_size=8).digest() for text in ids.to_pylist())
    return np.frombuffer(digests, np.uint64)


def _refuse_duplicates(path: Path, hashes: np.ndarray) -> None:
    """64 bits an id instead of the ids: 168 MB for 21 million. Equal hashes are confirmed on the ids themselves."""
    order = np.argsort(hashes, kind="stable")
    same = np.flatnonzero(np.diff(hashes[order]) == 0)
    if not len(same):
        return
    store = PassageStore(path)
    for position in same:
        first, second = int(order[position]), int(order[position + 1])
        (left, _, _), (right, _, _) = store.fetch([first, second])
        if left == right:
            raise DataError(f"corpus, rows {first + 1} and {second + 1}: both have the id {left!r}; expected one each")
