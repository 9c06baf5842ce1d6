"""The result of a search as two arrays, before passages are fetched."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Hits:
    """Best first; a row of -1 means that there is no hit at this place."""

    rows: np.ndarray  # [num_queries, k] int64
    scores: np.ndarray  # [num_queries, k] float32

    @staticmethod
    def none(num_queries: int, k: int) -> Hits:
        return Hits(np.full((num_queries, k), -1, np.int64), np.full((num_queries, k), -np.inf, np.float32))


def merge_top_k(parts: list[Hits], k: int) -> Hits:
    """The k best over all parts, whose rows are already those of the whole corpus. Ties go to the lower row."""
    rows = np.concatenate([part.rows for part in parts], axis=1)
    scores = np.concatenate([part.scores for part in parts], axis=1)
    scores = np.where(rows < 0, -np.inf, scores)
    order = np.lexsort((rows, -scores), axis=1)[:, :k]
    return Hits(np.take_along_axis(rows, order, 1), np.take_along_axis(scores, order, 1).astype(np.float32))


def fuse_ranks(parts: list[Hits], k: int, rrf_k: int) -> Hits:
    """Reciprocal rank fusion (Cormack et al., SIGIR 2009): the score is the sum of 1 / (rrf_k + rank)."""
    fused = Hits.none(len(parts[0].rows), k)
    for place in range(len(fused.rows)):
        sums: dict[int, float] = {}
        for part in parts:
            for rank, row in enumerate(part.rows[place].tolist(), start=1):
                if row >= 0:
                    sums[row] = sums.get(row, 0.0) + 1.0 / (rrf_k + rank)
        best = sorted(sums.items(), key=lambda entry: (-entry[1], entry[0]))[:k]
        for column, (row, score) in enumerate(best):
            fused.rows[place, column], fused.scores[place, column] = row, score
    return fused


def recall(found: Hits, exact: Hits) -> float:
    """The share of the exact hits that were found, over all queries, in [0, 1]."""
    same = (found.rows[:, :, None] == exact.rows[:, None, :]) & (exact.rows[:, None, :] >= 0)
    return float(same.any(axis=1).sum() / max((exact.rows >= 0).sum(), 1))
