"""How large an index becomes: what its file holds, byte by byte, so that it is known before it is built."""

from __future__ import annotations

from agentdistill.config.retriever import IndexConfig
from agentdistill.retrieval.dense import PQ_CENTROIDS, choose_nlist

FLOAT = 4
ROW_NUMBER = 8  # an inverted list holds each vector's row number
LINK = 4  # HNSW: one neighbour
NODE = 8 + 4  # HNSW: where a node's links start, and its level


def index_bytes(kind: str, count: int, dimension: int, config: IndexConfig | None = None) -> int:
    """Bytes of a FAISS index of `count` vectors: on disk, and in memory where the file is not mapped."""
    config = config or IndexConfig()
    plain = count * dimension * FLOAT
    if kind == "flat":
        return plain
    if kind == "flat_fp16":
        return plain // 2
    if kind == "sq8":
        return count * dimension + 2 * dimension * FLOAT
    if kind == "hnsw":
        return plain + int(count * (2 * config.hnsw_m + _upper_links(config.hnsw_m)) * LINK) + count * NODE
    centroids = choose_nlist(config, count) * (dimension * FLOAT + ROW_NUMBER)
    if kind == "ivf":
        return plain + count * ROW_NUMBER + centroids
    if kind == "ivf_pq":
        return count * (config.pq_bytes + ROW_NUMBER) + centroids + PQ_CENTROIDS * dimension * FLOAT
    raise ValueError(f"kind {kind!r} has no vectors")


def vectors_bytes(count: int, dimension: int, half: bool = False) -> int:
    """Bytes of the vector shards, which a build needs beside the index until it is done."""
    return count * dimension * (2 if half else 4)


def _upper_links(m: int) -> float:
    """Links of a node above the ground level, on average: level l has m links and is reached by one node in m ** l."""
    return m / (m - 1)
