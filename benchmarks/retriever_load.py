"""What the benchmark of the retriever runs and measures: services, the peer's process, clients, processor time."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentdistill.config.retriever import RetrieverConfig
from agentdistill.retrieval.client import ServiceSearch

CLIENTS = 64
CORES = os.cpu_count() or 1
_HERE = Path(__file__).resolve().parent

Ask = Callable[[str], Awaitable[Any]]


@dataclass(frozen=True)
class Load:
    """What one wave of requests gave."""

    qps: float
    p50_ms: float
    p99_ms: float


def asked(number: int, seed: str) -> list[str]:
    """Questions as an agent asks them, no two alike."""
    rng = random.Random(seed)
    kinds = ("population of", "capital of the country of", "who founded", "when was the bridge built in")
    return [f"{rng.choice(kinds)} place {rng.randrange(10**9)} in the north" for _ in range(number)]


async def load(ask: Ask, queries: list[str]) -> Load:
    """Ask all queries from 64 clients, each with one question at a time."""
    waiting = iter(queries)
    latencies: list[float] = []

    async def client() -> None:
        for query in waiting:
            started = time.perf_counter()
            await ask(query)
            latencies.append(time.perf_counter() - started)

    started = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    elapsed = time.perf_counter() - started
    cuts = statistics.quantiles(latencies, n=100)
    return Load(len(queries) / elapsed, 1000 * cuts[49], 1000 * cuts[98])


async def load_http(port: int, queries: list[str]) -> Load:
    import aiohttp

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CLIENTS)) as session:

        async def ask(query: str) -> None:
            body = {"queries": [query], "topk": 3, "return_scores": True}
            async with session.post(f"http://127.0.0.1:{port}/retrieve", json=body) as answer:
                answer.raise_for_status()
                await answer.json()

        await asyncio.gather(*(ask(f"warm up {i}") for i in range(8)))
        return await load(ask, queries)


@contextmanager
def cluster() -> Iterator[int]:
    """A Ray cluster of our own with Serve on a free port."""
    import ray
    from ray import serve

    # Ray gives its workers a low priority; on a shared machine the peer would win by that alone.
    os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112
    port = free_port()
    temporary = tempfile.mkdtemp(prefix="rb", dir="/tmp")
    ray.init(num_cpus=CORES, include_dashboard=False, _temp_dir=temporary, log_to_driver=False, logging_level="error")
    serve.start(http_options={"host": "127.0.0.1", "port": port}, logging_config={"log_level": "ERROR"})
    try:
        yield port
    finally:
        serve.shutdown()
        ray.shutdown()
        shutil.rmtree(temporary, ignore_errors=True)


def deploy(
    index: Path, config: RetrieverConfig, name: str, route_prefix: str | None = None, **client: int
) -> ServiceSearch:
    from ray import serve

    from agentdistill.retrieval.service import retriever_app

    serve.run(retriever_app(index, config), name=name, route_prefix=route_prefix)
    search = ServiceSearch(name, **client)
    asyncio.run(search(["warm up"], 3))
    return search


def undeploy(name: str) -> None:
    from ray import serve

    serve.delete(name)


@contextmanager
def usual_design(index: Path, threads: int) -> Iterator[tuple[int, int]]:
    """The peer's process; yields its port and process id once it answers."""
    port = free_port()
    command = [sys.executable, str(_HERE / "retriever_peer.py"), str(index), str(port), str(threads)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
                break
            except OSError:
                if process.poll() is not None:
                    raise RuntimeError(f"the peer ended with status {process.returncode}") from None
                time.sleep(0.2)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait()


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


async def replica_pids(search: ServiceSearch) -> list[int]:
    """The processes of all replicas: each answers some of many requests."""
    found: set[int] = set()
    while len(found) < CORES:
        found |= {int((await search.stats())["pid"]) for _ in range(8)}
    return sorted(found)


@contextmanager
def cpu_of(pids: list[int], queries: int, into: list[float]) -> Iterator[None]:
    """Append the processor time that these processes spend on each of so many queries, in ms."""
    before = sum(map(cpu_s, pids))
    yield
    into.append(1000 * (sum(map(cpu_s, pids)) - before) / queries)


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mb(pid: int) -> float:
    """Resident memory of a process, MiB; a mapped index counts as far as it was read."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
