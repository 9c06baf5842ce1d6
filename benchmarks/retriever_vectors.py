"""Synthetic vectors, and what each index kind makes of them: recall, queries per second, memory of the build.

    python benchmarks/retriever_vectors.py fill KIND VECTORS COUNT INDEX     one build, streamed, in its own process
    python benchmarks/retriever_vectors.py plain KIND VECTORS COUNT INDEX    the peer: all vectors in memory at once

Vectors are drawn around topics, 50 to a topic, the topics within 96 of the 384 dimensions: text embeddings lie in
groups, and vectors without any structure cannot be searched faster than by a full scan by anybody.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from agentdistill.config.retriever import IndexConfig
from agentdistill.retrieval import dense
from agentdistill.retrieval.fill import fill_index
from agentdistill.retrieval.hits import Hits, recall
from agentdistill.retrieval.vectors import VectorShards

DIMENSION = 384
SUBSPACE = 96
PER_TOPIC = 50
SHARD_ROWS = 65_536
BATCH = 64
LIST_LENGTH = 128
#: Of a vector's distance to its topic, relative to 1: two vectors of one topic have a cosine of about 0.55.
SPREAD = 0.9


def index_config(kind: str, count: int) -> IndexConfig:
    """The settings of the benchmark: short lists, and a smaller graph than the default, for two cores."""
    nlist = max(count // LIST_LENGTH, 1)
    return IndexConfig(kind=kind, nlist=nlist, hnsw_m=16, ef_construction=40, memory_map=False)


def write_vectors(folder: Path, count: int) -> VectorShards:
    """Write `count` synthetic unit vectors by shard."""
    vectors = VectorShards(folder, count, SHARD_ROWS)
    draw = _Topics(count)
    for shard in vectors.missing():
        start, stop = vectors.rows(shard)
        vectors.write(shard, draw(stop - start, seed=shard))
    return vectors


def queries(count: int, number: int) -> np.ndarray:
    """[number, DIMENSION] float32 drawn as the vectors are, and none of them."""
    return _Topics(count)(number, seed=1_000_003)


class _Topics:
    def __init__(self, count: int) -> None:
        rng = np.random.default_rng(0)
        basis = rng.standard_normal((SUBSPACE, DIMENSION), np.float32)
        self._centres = _unit(rng.standard_normal((max(count // PER_TOPIC, 1), SUBSPACE), np.float32) @ basis)

    def __call__(self, number: int, seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        around = rng.standard_normal((number, DIMENSION), np.float32) * np.float32(SPREAD * DIMENSION**-0.5)
        return _unit(self._centres[rng.integers(len(self._centres), size=number)] + around)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def curve(
    path: Path, kind: str, count: int, asked: np.ndarray, exact: Hits, settings: list[int]
) -> list[dict[str, float]]:
    """Recall@3 and queries per core-second, one at a time and 64 together, at each nprobe or efSearch."""
    points = []
    config = index_config(kind, count)
    index = dense.DenseIndex(path, config)
    for value in settings:
        config.nprobe = config.ef_search = value
        found = np.concatenate([index.search(part, 3).rows for part in _batches(asked)])
        reached = recall(Hits(found, np.zeros_like(found, np.float32)), exact)
        points.append({"setting": value, "recall": reached, **speed(index, asked)})
    return points


def speed(index: dense.DenseIndex, asked: np.ndarray, least_s: float = 1.0) -> dict[str, float]:
    """Queries per second of processor time over at least `least_s`, one at a time and 64 together.

    Processor time, because other work on the machine does not change it; in one thread, because threads that wait for
    each other do spend it.
    """
    return {
        "single_qps": _rate(index, [asked[i : i + 1] for i in range(len(asked))], least_s),
        "batch_qps": _rate(index, _batches(asked), least_s),
    }


def _rate(index: dense.DenseIndex, parts: list[np.ndarray], least_s: float) -> float:
    index.search(parts[0], 3)
    done, started = 0, time.process_time()
    while True:
        for part in parts:
            index.search(part, 3)
            done += len(part)
            elapsed = time.process_time() - started
            if elapsed >= least_s:
                return done / elapsed


def _batches(asked: np.ndarray) -> list[np.ndarray]:
    return [asked[start : start + BATCH] for start in range(0, len(asked), BATCH)]


def _fill(kind: str, vectors: VectorShards, path: Path) -> None:
    fill_index(vectors, path, kind, index_config(kind, vectors.count), 0, vectors.count, lambda *_: None)


def _plain(kind: str, vectors: VectorShards, path: Path) -> None:
    everything = np.concatenate([np.load(vectors.path(shard)) for shard in range(vectors.num_shards)])
    config = index_config(kind, vectors.count)
    index = dense.make_index(kind, DIMENSION, vectors.count, config)
    if not index.is_trained:
        index.train(everything[: config.train_sample])
    index.add(everything)
    dense.write_index(index, path)


def main(how: str, kind: str, folder: str, count: str, index: str) -> dict[str, Any]:
    vectors = VectorShards(Path(folder), int(count), SHARD_ROWS)
    started = time.perf_counter()
    {"fill": _fill, "plain": _plain}[how](kind, vectors, Path(index))
    return {
        "seconds": time.perf_counter() - started,
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "index_bytes": Path(index).stat().st_size,
    }


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
