"""Merging and fusing hits."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from agentdistill.retrieval.hits import Hits, fuse_ranks, merge_top_k, recall


def hits(*rows_and_scores):
    rows = [[row for row, _ in line] for line in rows_and_scores]
    scores = [[score for _, score in line] for line in rows_and_scores]
    return Hits(np.array(rows, np.int64), np.array(scores, np.float32))


@given(
    st.lists(st.integers(-50, 50), min_size=1, max_size=40),
    st.integers(1, 5),
    st.integers(1, 12),
)
def test_merging_shards_gives_what_one_search_would(values, num_shards, k):
    scores = np.array(values, np.float32)
    parts = []
    for rows in np.array_split(np.arange(len(values)), num_shards):
        best = rows[np.lexsort((rows, -scores[rows]))][:k]
        part = Hits.none(1, k)
        part.rows[0, : len(best)], part.scores[0, : len(best)] = best, scores[best]
        parts.append(part)
    merged = merge_top_k(parts, k)
    expected = np.lexsort((np.arange(len(values)), -scores))[:k]
    assert merged.rows[0][: len(expected)].tolist() == expected.tolist()
    assert (merged.rows[0][len(expected) :] == -1).all()


def test_missing_hits_never_beat_real_ones():
    merged = merge_top_k([hits([(-1, 9.0)]), hits([(4, -3.0)])], 1)
    assert merged.rows.tolist() == [[4]]


def test_fusion_prefers_what_both_rank_high():
    fused = fuse_ranks([hits([(1, 0.9), (2, 0.8), (3, 0.7)]), hits([(2, 12.0), (4, 3.0), (1, 1.0)])], 3, rrf_k=60)
    assert fused.rows[0].tolist() == [2, 1, 4]
    assert fused.scores[0, 0] == np.float32(1 / 62 + 1 / 61)


def test_fusion_of_nothing_is_nothing():
    assert fuse_ranks([Hits.none(2, 3), Hits.none(2, 3)], 2, rrf_k=60).rows.tolist() == [[-1, -1], [-1, -1]]


def test_recall_counts_the_exact_hits_that_were_found():
    exact = hits([(1, 1.0), (2, 1.0)], [(3, 1.0), (-1, 0.0)])
    assert recall(exact, exact) == 1.0
    assert recall(hits([(2, 1.0), (9, 1.0)], [(8, 1.0), (-1, 0.0)]), exact) == 1 / 3
