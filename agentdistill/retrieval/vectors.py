"""The corpus as vectors: one .npy file a shard of rows, each written whole, so that encoding restarts by shard."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from agentdistill.errors import DataError


class VectorShards:
    """A folder of `00000.npy`, `00001.npy`, ...: shard i holds the rows from i * shard_rows on."""

    def __init__(self, folder: Path, count: int, shard_rows: int) -> None:
        self.folder = folder
        self.count = count
        self.shard_rows = shard_rows
        self.num_shards = -(-count // shard_rows)

    def path(self, shard: int) -> Path:
        return self.folder / f"{shard:05d}.npy"

    def rows(self, shard: int) -> tuple[int, int]:
        """The first row of the shard, and the one after its last."""
        return shard * self.shard_rows, min((shard + 1) * self.shard_rows, self.count)

    def missing(self) -> list[int]:
        """The shards that are still to be written."""
        return [shard for shard in range(self.num_shards) if not self.path(shard).exists()]

    def write(self, shard: int, vectors: np.ndarray) -> None:
        """Write [rows of the shard, dimension] whole or not at all."""
        start, stop = self.rows(shard)
        if vectors.shape[0] != stop - start:
            raise DataError(f"{self.path(shard)}: {vectors.shape[0]} vectors for {stop - start} passages")
        self._save(self.path(shard), vectors)

    @property
    def queries_path(self) -> Path:
        """Where the held-out queries of the recall check are kept."""
        return self.folder / "queries.npy"

    def write_queries(self, vectors: np.ndarray) -> None:
        """Write [num_queries, dimension] whole or not at all."""
        self._save(self.queries_path, vectors)

    def read_queries(self) -> np.ndarray:
        """[num_queries, dimension] float32."""
        return np.asarray(np.load(self.queries_path), np.float32)

    def _save(self, path: Path, vectors: np.ndarray) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.writing")
        with temporary.open("wb") as out:
            np.save(out, vectors)
            out.flush()
            os.fsync(out.fileno())
        os.replace(temporary, path)

    @property
    def dimension(self) -> int:
        return int(self._open(0).shape[1])

    def chunks(self, rows: int, start: int = 0, stop: int | None = None) -> Iterator[np.ndarray]:
        """The vectors from row `start` to `stop` as float32 pieces of at most `rows`, read without mapping the file.

        A mapped file would count towards the process' memory for as long as its pages stay.
        """
        stop = self.count if stop is None else stop
        while start < stop:
            shard, offset = divmod(start, self.shard_rows)
            end = min(stop, start + rows, self.rows(shard)[1])
            yield self._read(shard, offset, end - start)
            start = end

    def sample(self, size: int, rng: np.random.Generator, start: int = 0, stop: int | None = None) -> np.ndarray:
        """[size, dimension] float32: rows from start to stop, drawn without replacement, in order."""
        stop = self.count if stop is None else stop
        chosen = start + np.sort(rng.choice(stop - start, min(size, stop - start), replace=False))
        drawn = np.empty((len(chosen), self.dimension), np.float32)
        filled = 0
        for shard in np.unique(chosen // self.shard_rows).tolist():
            first, last = self.rows(shard)
            inside = chosen[(chosen >= first) & (chosen < last)] - first
            drawn[filled : filled + len(inside)] = self._open(shard)[inside]
            filled += len(inside)
        return drawn

    def _open(self, shard: int) -> np.ndarray:
        try:
            return np.load(self.path(shard), mmap_mode="r")
        except (OSError, ValueError) as error:
            raise DataError(
                f"{self.path(shard)}: not a complete file of vectors: {error}; delete it and go on"
            ) from error

    def _read(self, shard: int, offset: int, rows: int) -> np.ndarray:
        mapped = self._open(shard)
        width, dtype, header = mapped.shape[1], mapped.dtype, int(mapped.offset)  # type: ignore[attr-defined]
        del mapped
        with self.path(shard).open("rb") as source:
            source.seek(header + offset * width * dtype.itemsize)
            values = np.fromfile(source, dtype, rows * width)
        return np.ascontiguousarray(values.reshape(rows, width), np.float32)
