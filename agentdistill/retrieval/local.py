"""An index folder, opened in this process: queries in, passages out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from agentdistill.config.retriever import EncoderConfig, IndexConfig
from agentdistill.errors import DataError
from agentdistill.retrieval import store
from agentdistill.retrieval.dense import DenseIndex, load_faiss
from agentdistill.retrieval.encoder import Encoder, resolve_encoder
from agentdistill.retrieval.hits import Hits, fuse_ranks, merge_top_k
from agentdistill.retrieval.keyword import KINDS, KeywordIndex, check_tokenizer
from agentdistill.retrieval.manifest import IndexInfo, check_files, read_manifest
from agentdistill.retrieval.queries import check_k, clean_query
from agentdistill.retrieval.remote import local_folder
from agentdistill.types import Passage

T = TypeVar("T")

#: Hybrid search fuses so many hits of each kind: a passage that both rank low can still come out on top.
FUSION_DEPTH = 100


def open_index(
    folder: str | Path,
    encoder: EncoderConfig | None = None,
    index: IndexConfig | None = None,
    shards: tuple[int, ...] | None = None,
) -> LocalRetriever:
    """Open an index folder; loads the encoder, so it takes seconds.

    `encoder` and `index` override how it is searched (device, threads, nprobe, ef_search, memory_map); `shards` opens
    some of the index alone, for a service whose replicas share it out.
    Raises DataError where the folder's files are torn or do not belong together, or the encoder or the tokenizer is not
    the one that made the index.
    """
    path = local_folder(folder)
    info = read_manifest(path)
    check_tokenizer(info)
    check_files(path, info)
    return LocalRetriever(path, info, encoder, index, shards)


class LocalRetriever:
    """Satisfies `agentdistill.types.Search`. Encodes and searches in one thread of its own, one call at a time."""

    def __init__(
        self,
        folder: Path,
        info: IndexInfo,
        encoder: EncoderConfig | None = None,
        index: IndexConfig | None = None,
        shards: tuple[int, ...] | None = None,
    ) -> None:
        self.info = info
        self._passages = store.PassageStore(folder / store.FILE)
        self._settings = index or IndexConfig(**info.settings)
        self._dense = open_shards(folder, info, self._settings, shards)
        self._keyword = KeywordIndex(folder, info.count) if info.kind in KINDS else None
        if len(self._passages) != info.count:
            raise DataError(
                f"{folder}: {len(self._passages)} passages, the manifest says {info.count}; build the index again"
            )
        self._encoder = _matching_encoder(folder, info, encoder) if info.encoder else None
        # One thread: torch and OpenMP keep a pool of threads for each thread that calls them.
        self._executor = search_thread((encoder or EncoderConfig()).threads)

    async def __call__(self, queries: list[str], k: int) -> list[list[Passage]]:
        """At most k passages a query, best first; none for an empty query. Raises UserError for k < 1."""
        check_k(k)
        clean = [clean_query(query) for query in queries]
        return self.fetch(await self.run(self.find, clean, k))

    def search(self, queries: list[str], k: int) -> list[list[Passage]]:
        """The same, for callers without an event loop."""
        check_k(k)
        clean = [clean_query(query) for query in queries]
        return self.fetch(self._executor.submit(self.find, clean, k).result())

    async def run(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call a function in the thread that encodes and searches."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, function, *arguments)

    def close(self) -> None:
        """End the search thread. Safe to call twice."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def find(self, queries: list[str], k: int) -> Hits:
        """Row numbers and scores for clean queries; an empty one has no hits. Call it through `run`."""
        asked = [index for index, query in enumerate(queries) if query]
        k = min(k, self.info.count)
        found = Hits.none(len(queries), k)
        if asked:
            texts = [queries[index] for index in asked]
            depth = self.depth(k)
            near = self.search_vectors(self.encode(texts), depth)
            hits = self.combine(texts, near, k)
            found.rows[asked], found.scores[asked] = hits.rows, hits.scores
        return found

    def encode(self, queries: list[str]) -> np.ndarray:
        """[num_queries, dimension] float32, without columns where the index has no vectors. Call it through `run`."""
        if self._encoder is None:
            return np.zeros((len(queries), 0), np.float32)
        return self._encoder.encode_queries(queries)

    def search_vectors(self, vectors: np.ndarray, k: int) -> Hits:
        """The k best over the shards that are open here. Call it through `run`."""
        if not self._dense:
            return Hits.none(len(vectors), k)
        return merge_top_k([shard.search(vectors, k) for shard in self._dense], k)

    def depth(self, k: int) -> int:
        """How many hits of each part `combine` needs for its k best."""
        return min(max(k, FUSION_DEPTH), self.info.count) if self.info.kind == "hybrid" else k

    def combine(self, queries: list[str], near: Hits, k: int) -> Hits:
        """The k best of what is near by its vector and what shares words, by kind. Call it through `run`."""
        if self._keyword is None:
            return near
        worded = self._keyword.search(queries, self.depth(k))
        if self.info.kind == "bm25":
            return worded
        return fuse_ranks([near, worded], k, self._settings.rrf_k)

    def fetch(self, hits: Hits) -> list[list[Passage]]:
        """The passages of the hits."""
        return [
            [Passage(*fields) for fields in self.fetch_rows(rows, scores)]
            for rows, scores in zip(hits.rows.tolist(), hits.scores.tolist(), strict=True)
        ]

    def fetch_rows(self, rows: Sequence[int], scores: Sequence[float]) -> list[tuple[str, str, str, float]]:
        """(id, title, text, score) of each row that is not -1."""
        kept = [(row, score) for row, score in zip(rows, scores, strict=True) if row >= 0]
        fields = self._passages.fetch(row for row, _ in kept)
        return [(*field, score) for field, (_, score) in zip(fields, kept, strict=True)]


def open_shards(
    folder: Path, info: IndexInfo, settings: IndexConfig, shards: tuple[int, ...] | None = None
) -> list[DenseIndex]:
    """Open the FAISS files of an index folder, all or some. Raises DataError where one does not belong here."""
    chosen = info.shards if shards is None else [info.shards[shard] for shard in shards]
    opened = []
    for shard in chosen:
        path = folder / shard.file
        dense = DenseIndex(path, settings, shard.start)
        if dense.count != shard.count or dense.dimension != info.dimension:
            raise DataError(
                f"{path}: {dense.count} vectors of {dense.dimension} dimensions, expected {shard.count} of "
                f"{info.dimension}: it does not belong to this corpus; build the index again"
            )
        opened.append(dense)
    return opened


def search_thread(threads: int) -> ThreadPoolExecutor:
    """One thread that searches with so many OpenMP threads (the setting belongs to the thread that makes it)."""
    return ThreadPoolExecutor(
        1, thread_name_prefix="retriever", initializer=load_faiss().omp_set_num_threads, initargs=(threads,)
    )


def _matching_encoder(folder: Path, info: IndexInfo, wanted: EncoderConfig | None) -> Encoder:
    made = info.encoder
    config = wanted or EncoderConfig(
        model=made["model"],
        query_prefix=made["query_prefix"],
        passage_prefix=made["passage_prefix"],
        pooling=made["pooling"],
        normalize=made["normalize"],
        max_length=made["max_length"],
    )
    spec = resolve_encoder(config)
    if spec.fingerprint != made["fingerprint"]:
        differing = [
            f"{name} {made[name]!r}, now {value!r}"
            for name, value in spec.identity().items()
            if name not in ("fingerprint", "max_length") and made[name] != value
        ]
        raise DataError(
            f"{folder}: the encoder is not the one that made this index "
            f"({'; '.join(differing) or 'same name, other weights'}); set retriever.encoder as it was, or build anew"
        )
    encoder = Encoder(spec, config)
    if encoder.dimension != info.dimension:
        raise DataError(f"{folder}: the encoder makes {encoder.dimension} dimensions, the index has {info.dimension}")
    return encoder
