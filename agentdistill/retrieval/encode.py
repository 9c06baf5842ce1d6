"""Passages -> vector shards, in this process or as a Ray Data job over many actors; either goes on where it stopped."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from agentdistill.retrieval.corpus import contents
from agentdistill.retrieval.encoder import Encoder, EncoderSpec
from agentdistill.retrieval.fill import SEED, Progress
from agentdistill.retrieval.store import PassageStore
from agentdistill.retrieval.vectors import VectorShards

if TYPE_CHECKING:
    from agentdistill.config.retriever import EncoderConfig, RetrieverConfig

LONGEST_QUERY_CHARS = 200


class ShardEncoder:
    """Encodes one shard of passages a call. One a process: it holds the model."""

    def __init__(self, vectors: VectorShards, passages: Path, spec: EncoderSpec, config: EncoderConfig) -> None:
        self._vectors = vectors
        self._passages = PassageStore(passages)
        self._encoder = Encoder(spec, config)

    def encode(self, shard: int) -> int:
        """Write the shard's vectors; return how many passages it has."""
        rows = self._passages.scan(*self._vectors.rows(shard))
        texts = [contents(title, text) for _, title, text in rows]
        self._vectors.write(shard, self._encoder.encode_passages(texts))
        return len(texts)

    def encode_held_out(self, number: int) -> None:
        """Write the vectors of queries that stand for what users ask: the first sentences of drawn passages."""
        count = len(self._passages)
        drawn = np.sort(np.random.default_rng(SEED).choice(count, min(number, count), replace=False))
        texts = [text.split(". ")[0][:LONGEST_QUERY_CHARS] for _, _, text in self._passages.fetch(drawn.tolist())]
        self._vectors.write_queries(self._encoder.encode_queries(texts))

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """What Ray Data calls: shard numbers in, passage counts out; -1 stands for the held-out queries."""
        counts = []
        for shard, number in zip(batch["shard"].tolist(), batch["held_out"].tolist(), strict=True):
            if shard < 0:
                self.encode_held_out(number)
                counts.append(0)
            else:
                counts.append(self.encode(shard))
        return {"shard": batch["shard"], "passages": np.array(counts)}


def encode_corpus(
    vectors: VectorShards, passages: Path, spec: EncoderSpec, config: RetrieverConfig, report: Progress
) -> None:
    """Write the shards that are missing, and the held-out queries; with `config.encode_actors`, on Ray Data.

    Every actor reads the passages from, and writes its vectors to, the index's work folder: on a cluster it must lie
    on storage that all nodes mount.
    """
    missing = vectors.missing()
    items = [{"shard": shard, "held_out": 0} for shard in missing]
    if config.index.recall_queries and not vectors.queries_path.exists():
        items.append({"shard": -1, "held_out": config.index.recall_queries})
    if not items:
        return
    done = vectors.count - sum(stop - start for start, stop in map(vectors.rows, missing))
    report("encoding passages", done, vectors.count)
    counts = _with_ray if config.encode_actors else _in_process
    for count in counts(items, vectors, passages, spec, config):
        done += count
        report("encoding passages", done, vectors.count)


def _in_process(
    items: list[dict[str, int]], vectors: VectorShards, passages: Path, spec: EncoderSpec, config: RetrieverConfig
) -> Any:
    worker = ShardEncoder(vectors, passages, spec, config.encoder)
    for item in items:
        batch = {name: np.array([value]) for name, value in item.items()}
        yield int(worker(batch)["passages"][0])


def _with_ray(
    items: list[dict[str, int]], vectors: VectorShards, passages: Path, spec: EncoderSpec, config: RetrieverConfig
) -> Any:
    import ray

    encoded = ray.data.from_items(items, override_num_blocks=len(items)).map_batches(
        ShardEncoder,
        batch_size=1,
        fn_constructor_args=(vectors, passages.resolve(), spec, config.encoder),
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=config.encode_actors),
        num_cpus=0 if config.gpus_per_encode_actor else config.encoder.threads,
        num_gpus=config.gpus_per_encode_actor,
    )
    for row in encoded.iter_rows():
        yield int(row["passages"])
