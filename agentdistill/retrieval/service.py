"""The retriever as a Ray Serve application: batches over all clients, a cache, bounds, and HTTP where it is wanted.

    serve.run(retriever_app(folder, config), name="retriever", route_prefix=None)   # handles only
    serve.run(retriever_app(folder, config), name="retriever", route_prefix="/")    # HTTP too

`client.ServiceSearch("retriever")` is its client in Python. The module imports Ray Serve: only what deploys or replicas
import it.
"""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ray import serve

from agentdistill.config.retriever import RetrieverConfig
from agentdistill.errors import BusyError, RetrieverError
from agentdistill.retrieval import http
from agentdistill.retrieval.cache import Found, QueryCache
from agentdistill.retrieval.hits import Hits, merge_top_k
from agentdistill.retrieval.keyword import check_tokenizer
from agentdistill.retrieval.local import LocalRetriever, open_index, open_shards, search_thread
from agentdistill.retrieval.manifest import check_files, read_manifest
from agentdistill.retrieval.queries import check_k, clean_query
from agentdistill.retrieval.remote import is_remote, local_folder, read_any_manifest

DEPLOYMENT = "Retriever"
#: Beyond the queries it may hold, a replica has room for requests that it answers "busy", and for health checks.
SPARE_REQUESTS = 64
#: Of one replica, before another is started: a client process has two requests in flight, each of many queries.
TARGET_REQUESTS = 8

Row = tuple[str, str, str, float]  # id, title, text, score


@dataclass(frozen=True, slots=True)
class _Item:
    """One request's queries that the cache could not answer, as the batch sees them."""

    queries: tuple[str, ...]
    k: int
    expires_at: float  # time.monotonic() of this replica


class RetrieverReplica:
    """Encodes and searches for all clients together; answers repeated queries from its cache."""

    def __init__(
        self, folder: str, config: RetrieverConfig, shards: list[Any], token_digest: str | None = None
    ) -> None:
        """`shards`: the handles of the deployments that hold the index; empty where this replica holds all of it.

        `token_digest`: of the token that HTTP requests must bring; None asks for none.
        """
        self._config = config
        self._token_digest = token_digest
        self._shards = shards
        self._retriever: LocalRetriever = open_index(
            folder, config.encoder, config.index, shards=() if shards else None
        )
        self._cache = QueryCache(config.cache_size)
        self._held = 0  # queries taken and not yet answered
        self._counts = {"queries": 0, "busy": 0, "expired": 0, "batches": 0, "batched_queries": 0}
        self._find_batch.set_max_batch_size(config.max_batch)
        self._find_batch.set_batch_wait_timeout_s(config.batch_wait_s)

    async def search(self, queries: list[str], k: int, deadline_s: float | None = None) -> list[list[Row]]:
        """At most k rows a query, best first; none for an empty query.

        Raises UserError for k < 1, BusyError where the replica holds its bound of queries, RetrieverError where
        `deadline_s` has passed.
        """
        check_k(k)
        k = min(k, self._retriever.info.count)
        clean = [clean_query(query) for query in queries]
        self._counts["queries"] += len(clean)
        found: dict[str, Found] = {"": Found((), ())}
        for query in clean:
            if query not in found and (kept := self._cache.get(query, k)) is not None:
                found[query] = kept
        missing = tuple(dict.fromkeys(query for query in clean if query not in found))
        if missing:
            found.update(await self._find(missing, k, deadline_s or self._config.deadline_s))
        return [self._retriever.fetch_rows(found[query].rows, found[query].scores) for query in clean]

    async def __call__(self, request: Any) -> Any:
        """HTTP: see `agentdistill.retrieval.http`."""
        return await http.answer(request, self, self._token_digest)

    async def check_health(self) -> None:
        """Runs a real query through the batch; Serve replaces a replica that raises or does not answer."""
        await self._find_batch(_Item(("health",), 1, time.monotonic() + self._config.deadline_s))

    async def stats(self) -> dict[str, float]:
        """Counts since this replica started: queries, cache hit rate, batches and their mean size, busy answers."""
        batches = self._counts["batches"]
        return {
            **self._counts,
            "held": self._held,
            "cached": len(self._cache),
            "cache_hit_rate": self._cache.hit_rate,
            "mean_batch": self._counts["batched_queries"] / batches if batches else 0.0,
            "passages": self._retriever.info.count,
            "pid": os.getpid(),
        }

    @property
    def default_k(self) -> int:
        return self._config.k

    async def _find(self, queries: tuple[str, ...], k: int, deadline_s: float) -> dict[str, Found]:
        if self._held and self._held + len(queries) > self._config.max_queued:
            self._counts["busy"] += 1
            raise BusyError(f"the retriever holds {self._held} queries, its bound is {self._config.max_queued}")
        self._held += len(queries)
        try:
            item = _Item(queries, k, time.monotonic() + deadline_s)
            found = await asyncio.wait_for(self._find_batch(item), deadline_s)
            if len(found) < len(queries):
                raise TimeoutError  # the batch began just after the deadline
        except TimeoutError as error:
            self._counts["expired"] += 1
            raise RetrieverError(f"the retriever did not answer within {deadline_s:g} s") from error
        finally:
            self._held -= len(queries)
        for query, result in found.items():
            self._cache.put(query, k, result)
        return found

    # One batch at a time: while it runs, the next one gathers. The replica's own settings replace these figures.
    @serve.batch(max_batch_size=64, batch_wait_timeout_s=0.005, max_concurrent_batches=1)
    async def _find_batch(self, items: list[_Item]) -> list[dict[str, Found]]:
        now = time.monotonic()
        # Whoever asked for an expired item has been told so: nobody waits for its vectors.
        live = [item for item in items if item.expires_at > now]
        queries = list(dict.fromkeys(query for item in live for query in item.queries))
        if not queries:
            return [{} for _ in items]
        hits = await self._search(queries, max(item.k for item in live))
        self._counts["batches"] += 1
        self._counts["batched_queries"] += len(queries)
        places = {query: place for place, query in enumerate(queries)}
        rows, scores = hits.rows.tolist(), hits.scores.tolist()
        return [
            {
                query: Found(tuple(rows[places[query]][: item.k]), tuple(scores[places[query]][: item.k]))
                for query in item.queries
                if query in places
            }
            for item in items
        ]

    async def _search(self, queries: list[str], k: int) -> Hits:
        if not self._shards:
            return await self._retriever.run(self._retriever.find, queries, k)
        depth = self._retriever.depth(k)
        vectors = await self._retriever.run(self._retriever.encode, queries)
        parts = await asyncio.gather(*(shard.search.remote(vectors, depth) for shard in self._shards))
        near = merge_top_k(list(parts), depth)
        return await self._retriever.run(self._retriever.combine, queries, near, k)


class ShardReplica:
    """Holds one shard of the index, for an index that does not fit one machine."""

    def __init__(self, folder: str, shard: int, config: RetrieverConfig) -> None:
        path = local_folder(folder)
        info = read_manifest(path)
        check_files(path, info)
        self._executor = search_thread(config.encoder.threads)
        (self._index,) = open_shards(path, info, config.index, (shard,))

    async def search(self, vectors: np.ndarray, k: int) -> Hits:
        """The k best rows of this shard for each vector."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._index.search, vectors, k)

    async def check_health(self) -> None:
        await self.search(np.zeros((1, self._index.dimension), np.float32), 1)


def retriever_app(
    folder: str | Path, config: RetrieverConfig | None = None, token: str | None = None
) -> serve.Application:
    """The application over an index folder that every node can reach. Deploy it with `serve.run(app, name=...)`.

    `token`: what HTTP requests must bring; the application holds its digest alone. Handles ask for none.

    With more than one shard in the index, each shard is a deployment of its own and the replicas in front of them
    encode, ask all shards and merge. Raises DataError where the folder holds no index, or one of an older tokenizer.
    """
    config = config or RetrieverConfig()
    info = read_any_manifest(folder)
    check_tokenizer(info)
    place = str(folder) if is_remote(folder) else str(Path(folder).resolve())
    shards = []
    if len(info.shards) > 1:
        shards = [
            serve.deployment(ShardReplica, name=f"Shard{number}")
            .options(**_options(config, replicas=config.replicas, max_replicas=config.max_replicas))
            .bind(place, number, config)
            for number in range(len(info.shards))
        ]
    options = _options(config, config.replicas, config.max_replicas)
    digest = None if token is None else http.token_digest(token)
    return serve.deployment(RetrieverReplica, name=DEPLOYMENT).options(**options).bind(place, config, shards, digest)


def _options(config: RetrieverConfig, replicas: int, max_replicas: int) -> dict[str, Any]:
    options: dict[str, Any] = {
        "max_ongoing_requests": config.max_queued + SPARE_REQUESTS,
        "max_queued_requests": config.max_queued + SPARE_REQUESTS,
        "ray_actor_options": {
            "num_cpus": config.cpus_per_replica,
            "num_gpus": config.gpus_per_replica,
            # OpenMP's threads spin while they wait: on cores that an engine also uses, that costs a factor of ten.
            "runtime_env": {"env_vars": {"OMP_WAIT_POLICY": "PASSIVE"}},
        },
        "health_check_period_s": 10,
        "health_check_timeout_s": config.deadline_s + 10,
        "graceful_shutdown_timeout_s": 10,
        "graceful_shutdown_wait_loop_s": 0.2,
    }
    if max_replicas > replicas:
        options["autoscaling_config"] = {
            "min_replicas": replicas,
            "max_replicas": max_replicas,
            "target_ongoing_requests": TARGET_REQUESTS,
        }
    else:
        options["num_replicas"] = replicas
    return options
