"""The retriever: many clients at once, the index kinds at a million vectors, memory of the build, an agent workload.

    python benchmarks/retriever.py [--quick] [--json] [--hnsw] [--plot docs/retriever_recall.svg]

Peers, in the same run: a FastAPI process that encodes and searches one request at a time (retriever_peer.py), flat
search, a build that holds all vectors, and our own service without cache and without batches.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(_HERE.parent), str(_HERE)]

import retriever_vectors as synthetic
from claims import Claim, arguments, at_most, finish, times_better
from retriever_load import (
    CLIENTS,
    CORES,
    asked,
    cluster,
    cpu_of,
    deploy,
    load,
    load_http,
    replica_pids,
    rss_mb,
    undeploy,
    usual_design,
)

from agentdistill.config.questions import TaskConfig
from agentdistill.config.retriever import EncoderConfig, IndexConfig, RetrieverConfig
from agentdistill.retrieval import store
from agentdistill.retrieval.build import build_index
from agentdistill.retrieval.corpus import read_corpus
from agentdistill.retrieval.dense import DenseIndex
from agentdistill.retrieval.encoder import resolve_encoder
from agentdistill.retrieval.fill import exact_search, fill_index
from agentdistill.retrieval.local import search_thread
from agentdistill.retrieval.manifest import IndexInfo, ShardInfo, describe_files, write_manifest
from agentdistill.tasks import load_questions
from agentdistill.tasks.world import corpus

NPROBES = [1, 2, 4, 8, 16, 32, 64]
EF_SEARCHES = [8, 16, 32, 64, 128, 256]
_CITY = re.compile(r"is a city in (.+?)\.")
_CAPITAL = re.compile(r"Its capital is (.+?)\. Its")


@dataclass(frozen=True)
class Row:
    id: str
    title: str
    text: str


def main() -> int:
    parser = arguments(__doc__, quick="a quarter of the size or less, one repeat")
    parser.add_argument("--hnsw", action="store_true", help="build the graph too: many minutes more")
    parser.add_argument("--plot", type=Path, help="write the curve of recall against speed as SVG")
    parser.add_argument("--only", choices=("service", "index", "replay"), help="one part alone")
    options = parser.parse_args()
    parts = {"service": service_claims, "index": index_claims, "replay": replay_claims}
    claims: list[Claim] = []
    facts: dict[str, Any] = {"hnsw": options.hnsw}
    with tempfile.TemporaryDirectory(prefix="rb", dir="/tmp") as folder:
        for name, part in parts.items():
            if options.only in (None, name):
                claims += part(Path(folder), options.quick, facts)
    if options.plot and "curves" in facts:
        plot(facts["curves"], options.plot)
    return finish(claims, options.json, "retriever", facts)


def service_claims(folder: Path, quick: bool, facts: dict[str, Any]) -> list[Claim]:
    """64 clients, all queries different, no cache: the service against the usual design on one encoder and index."""
    count, repeats, number = (100_000, 1, 512) if quick else (400_000, 3, 1_024)
    index = synthetic_index(folder / "service", count)
    threads = best_threads_of_peer(index)
    config = RetrieverConfig(replicas=CORES, max_replicas=CORES, cache_size=0)
    ours, over_http, peer = [], [], []
    cpu_ms: dict[str, list[float]] = {"ours": [], "ours_http": [], "peer": []}
    with cluster() as port, usual_design(index, threads) as (peer_port, peer_pid):
        search = deploy(index, config, "bench", route_prefix="/", requests_in_flight=2 * CORES)
        replicas = asyncio.run(replica_pids(search))
        for repeat in range(repeats):
            with cpu_of([peer_pid], number // 4, cpu_ms["peer"]):
                peer.append(asyncio.run(load_http(peer_port, asked(number // 4, f"peer {repeat}"))))
            with cpu_of(replicas, number, cpu_ms["ours"]):
                ours.append(asyncio.run(load(lambda query: search([query], 3), asked(number, f"ours {repeat}"))))
            with cpu_of(replicas, number // 4, cpu_ms["ours_http"]):
                over_http.append(asyncio.run(load_http(port, asked(number // 4, f"http {repeat}"))))
        replica = asyncio.run(search.stats())
        facts["service"] = {
            "vectors": count,
            "replicas": CORES,
            "replica_rss_mb": [rss_mb(pid) for pid in replicas],
            "cpu_ms_per_query": cpu_ms,
            "mean_batch": replica["mean_batch"],
            "peer_rss_mb": rss_mb(peer_pid),
            "peer_threads": threads,
            "ours": [asdict(item) for item in ours],
            "ours_http": [asdict(item) for item in over_http],
            "peer": [asdict(item) for item in peer],
        }
    rates, latencies = ([[getattr(item, key) for item in found] for found in (ours, peer)] for key in ("qps", "p99_ms"))
    return [
        times_better("64 clients, queries a second", *rates, 5, "q/s", less_is_better=False),
        times_better("64 clients, p99 latency", *latencies, 1, "ms", less_is_better=True),
    ]


def best_threads_of_peer(index: Path) -> int:
    """The number of threads, one or all, with which the peer is faster here."""
    rates = {}
    for threads in sorted({1, CORES}):
        with usual_design(index, threads) as (port, _):
            rates[threads] = asyncio.run(load_http(port, asked(2 * CLIENTS, "threads"))).qps
    return max(rates, key=lambda threads: rates[threads])


def index_claims(folder: Path, quick: bool, facts: dict[str, Any]) -> list[Claim]:
    """Speed at recall@3 of at least 0.95 against flat search on one core each, and memory of the build."""
    count = 200_000 if quick else 1_000_000
    vectors = synthetic.write_vectors(folder / "vectors", count)
    kinds = {"ivf": NPROBES, "hnsw": EF_SEARCHES} if facts.pop("hnsw", False) else {"ivf": NPROBES}
    builds = {kind: build("fill", kind, folder, count) for kind in ("flat", *kinds)}
    plain = build("plain", "flat", folder, count)
    queries = synthetic.queries(count, 512)
    search = search_thread(1)
    exact = search.submit(exact_search, vectors, queries, 3).result()
    flat = DenseIndex(folder / "flat.faiss", synthetic.index_config("flat", count))
    curves = {"flat": [{"setting": 0, "recall": 1.0, **search.submit(synthetic.speed, flat, queries).result()}]}
    for kind, settings in kinds.items():
        arguments = (folder / f"{kind}.faiss", kind, count, queries, exact, settings)
        curves[kind] = search.submit(synthetic.curve, *arguments).result()
    again = search.submit(synthetic.speed, flat, queries).result()
    search.shutdown()
    curves["flat"].append({"setting": 0, "recall": 1.0, **again})
    facts.update(curves=curves, builds=builds, plain_build=plain, vectors=count)
    return [*speed_claims(curves), *memory_claims(builds, plain, quick)]


def speed_claims(curves: dict[str, list[dict[str, float]]]) -> list[Claim]:
    """The fastest point with recall@3 of at least 0.95 of any kind, one query at a time and 64 together."""
    good = [(point, kind) for kind, points in curves.items() if kind != "flat" for point in points]
    good = [(point, kind) for point, kind in good if point["recall"] >= 0.95]
    claims = []
    for key, name in (("single_qps", "one at a time"), ("batch_qps", "64 together")):
        point, kind = max(good, key=lambda entry: entry[0][key])
        peers = [entry[key] for entry in curves["flat"]]
        full_name = f"{kind} at recall {point['recall']:.3f}, {name}"
        claims.append(times_better(full_name, [point[key]], peers, 20, "q/cs", less_is_better=False))
    return claims


def memory_claims(builds: dict[str, dict[str, float]], plain: dict[str, float], quick: bool) -> list[Claim]:
    """Peak memory of the whole building process over the index's size; the interpreter itself outweighs a small one."""
    bound = 2.0 if quick else 1.3
    peer = plain["peak_bytes"] / plain["index_bytes"]
    claims = []
    for kind, built in builds.items():
        ours = built["peak_bytes"] / built["index_bytes"]
        claims.append(at_most(f"{kind} build, peak memory / index", [ours], bound, "x", [peer]))
    return claims


def replay_claims(folder: Path, quick: bool, facts: dict[str, Any]) -> list[Claim]:
    """The demo's queries, 64 in flight: with and without the cache, with and without batches.

    Compared by the processor time of replica and client, which is what they take from the engine beside them.
    """
    index = folder / "demo"
    build_index(RetrieverConfig(), corpus(), index)
    queries = demo_queries(160 if quick else None)
    alone = {"max_batch": 1, "batch_wait_s": 0.0}
    one_each = {"requests_in_flight": CLIENTS, "max_together": 1}
    variants: dict[str, tuple[dict[str, Any], dict[str, int]]] = {
        "neither": ({**alone, "cache_size": 0}, one_each),
        "cache": (alone, one_each),
        "batches": ({"cache_size": 0}, {}),
        "both": ({}, {}),
    }
    qps: dict[str, list[float]] = {name: [] for name in variants}
    cpu_ms: dict[str, list[float]] = {name: [] for name in variants}
    rates = {}
    with cluster():
        for repeat in range(1 if quick else 3):
            for name, (settings, client) in variants.items():
                search = deploy(index, RetrieverConfig(**settings), f"{name}{repeat}", **client)
                asyncio.run(load(lambda query: search([query], 2), asked(4 * CLIENTS, name)))  # noqa: B023
                before = asyncio.run(search.stats())
                pid = int(before["pid"])
                with cpu_of([pid, os.getpid()], len(queries), cpu_ms[name]):
                    qps[name].append(asyncio.run(load(lambda query: search([query], 2), queries)).qps)  # noqa: B023
                rates[name] = hits_between(before, asyncio.run(search.stats()))
                undeploy(f"{name}{repeat}")
    facts["replay"] = {
        "queries": len(queries),
        "distinct": len(set(queries)),
        "qps": qps,
        "cpu_ms_per_query": cpu_ms,
        "hit_rate": rates,
    }
    return [
        times_better(
            f"replay, {name} against neither", cpu_ms[name], cpu_ms["neither"], bound, "ms/q", less_is_better=True
        )
        for name, bound in (("cache", 1), ("batches", 1), ("both", 1.5))
    ]


def hits_between(before: dict[str, float], after: dict[str, float]) -> float:
    """The share of the queries between two looks at the counts that the cache answered."""
    hits = [counts["cache_hit_rate"] * counts["queries"] for counts in (before, after)]
    return (hits[1] - hits[0]) / (after["queries"] - before["queries"])


def demo_queries(limit: int | None) -> list[str]:
    """What the demo's expert asks: for each question its entities, then what their passages lead to.

    Training questions are asked once by the teacher, test questions before and after training.
    """
    text = {row.title: row.text for row in corpus()}
    train = load_questions(TaskConfig(split="train", limit=limit))
    test = load_questions(TaskConfig(split="test", limit=48))
    found = []
    for question in [*train, *test, *test]:
        entities = question.metadata["entities"].split("|")
        leads = [match for name in entities for match in (_CITY.search(text.get(name, "")),) if match]
        if question.metadata["template"] == "outside":
            leads = [match for name in entities for match in (_CAPITAL.search(text.get(name, "")),) if match]
        follow = [lead.group(1) for lead in leads] if question.metadata["hops"] == "chained" else []
        found += [f"about {name}" for name in [*entities, *follow]]
    return found


def synthetic_index(folder: Path, count: int) -> Path:
    """An index folder of synthetic vectors and passages, with a real encoder for the queries."""
    folder.mkdir()
    vectors = synthetic.write_vectors(folder / "vectors", count)
    words = ["river", "bridge", "harbour", "council", "railway", "orchard", "festival", "mountain", "museum", "market"]
    rows = (Row(str(i), f"Place {i}", f"Place {i} has a " + " and a ".join(words * 4)) for i in range(count))
    total, checksum = store.write_passages(read_corpus(rows), folder / store.FILE)
    name = "dense-000-of-001.faiss"
    fill_index(vectors, folder / name, "flat", IndexConfig(), 0, count, lambda *_: None)
    shutil.rmtree(folder / "vectors")
    info = IndexInfo(
        key="synthetic",
        kind="flat",
        count=total,
        dimension=synthetic.DIMENSION,
        corpus="synthetic",
        corpus_checksum=checksum,
        encoder=resolve_encoder(EncoderConfig()).identity(),
        settings=asdict(IndexConfig()),
        shards=(ShardInfo(name, 0, total),),
        files=describe_files(folder, [store.FILE, name]),
    )
    write_manifest(folder, info)
    return folder


def build(how: str, kind: str, folder: Path, count: int) -> dict[str, float]:
    """One build in a process of its own, so that its peak memory is its own."""
    name = f"{kind}.faiss" if how == "fill" else f"plain-{kind}.faiss"
    script = str(_HERE / "retriever_vectors.py")
    command = [sys.executable, script, how, kind, str(folder / "vectors"), str(count), str(folder / name)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    if how != "fill":
        (folder / name).unlink()
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def plot(curves: dict[str, list[dict[str, float]]], path: Path) -> None:
    """Recall@3 against queries per second of one core, 64 together, as SVG."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "retriever", "font.size": 9})
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(5.6, 3.4), layout="constrained")
    for kind, points in curves.items():
        best = points[-1:] if kind == "flat" else points
        axes.plot([p["recall"] for p in best], [p["batch_qps"] for p in best], marker="o", markersize=4, label=kind)
    axes.set(xlabel="recall@3", ylabel="queries per core-second, 64 together", yscale="log")
    axes.axvline(0.95, color="0.7", linewidth=0.8, linestyle="--")
    axes.grid(True, color="0.92")
    axes.legend(frameon=False)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


if __name__ == "__main__":
    sys.exit(main())
