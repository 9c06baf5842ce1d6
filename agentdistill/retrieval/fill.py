"""Vector shards -> FAISS file: trained on a sample, filled chunk by chunk into memory that is allocated once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from agentdistill.retrieval import dense
from agentdistill.retrieval.hits import Hits, merge_top_k
from agentdistill.retrieval.vectors import VectorShards

if TYPE_CHECKING:
    from agentdistill.config.retriever import IndexConfig

#: Called with what is done now, how much of it is done, and how much there is.
Progress = Callable[[str, int, int], None]
SEED = 0


def fill_index(
    vectors: VectorShards, path: Path, kind: str, config: IndexConfig, start: int, stop: int, report: Progress
) -> None:
    """Write a FAISS file of the rows from start to stop.

    Peak memory is the index, the larger of its training sample and one chunk, and FAISS's own work space.
    """
    index = dense.make_index(kind, vectors.dimension, stop - start, config)
    if not index.is_trained:
        report("training the index", 0, 0)
        sample = vectors.sample(config.train_sample, np.random.default_rng(SEED), start, stop)
        dense.train_index(index, sample, config)
        del sample
    if dense.is_ivf(index):
        _add_to_lists(index, vectors, start, stop, report)
    else:
        dense.reserve(index, stop - start)
        for row, chunk in _numbered(vectors, start, stop):
            index.add(chunk)
            report("adding vectors", row + len(chunk), vectors.count)
    dense.write_index(index, path)


def exact_search(vectors: VectorShards, queries: np.ndarray, k: int) -> Hits:
    """The true k best rows of each query, by reading all vectors once, chunk by chunk."""
    best = Hits.none(len(queries), k)
    for row, chunk in _numbered(vectors, 0, vectors.count):
        scores = queries @ chunk.T
        kept = min(k, len(chunk))
        part = np.argpartition(scores, -kept, axis=1)[:, -kept:]
        found = Hits((part + row).astype(np.int64), np.take_along_axis(scores, part, 1))
        best = merge_top_k([best, found], k)
    return best


def _add_to_lists(index: Any, vectors: VectorShards, start: int, stop: int, report: Progress) -> None:
    """Assign first, so that each inverted list is allocated at its size: lists that grow hold up to twice that."""
    assigned = np.empty(stop - start, np.int64)
    for row, chunk in _numbered(vectors, start, stop):
        assigned[row - start : row - start + len(chunk)] = dense.assign(index, chunk)
        report("assigning vectors to lists", row + len(chunk), vectors.count)
    dense.reserve_lists(index, np.bincount(assigned, minlength=index.nlist))
    for row, chunk in _numbered(vectors, start, stop):
        first = row - start
        dense.add_assigned(index, chunk, first, assigned[first : first + len(chunk)])
        report("adding vectors", row + len(chunk), vectors.count)


def _numbered(vectors: VectorShards, start: int, stop: int) -> Any:
    row = start
    for chunk in vectors.chunks(dense.CHUNK_ROWS, start, stop):
        yield row, chunk
        row += len(chunk)
