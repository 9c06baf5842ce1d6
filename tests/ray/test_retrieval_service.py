"""The retriever on Ray Serve: batches, bounds, failures of replicas and clients, and HTTP."""

import asyncio
import os
import pickle
import signal
import socket
import tempfile

import pytest
from retrieval_rows import CITIES, ROWS

from agentdistill.config.retriever import IndexConfig, RetrieverConfig
from agentdistill.errors import BusyError, RetrieverError, UserError
from agentdistill.retrieval.build import build_index
from agentdistill.retrieval.client import ServiceSearch
from agentdistill.retrieval.local import open_index
from agentdistill.retrieval.tool import search_tool

pytestmark = [pytest.mark.ray, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def port():
    import ray
    from ray import serve

    folder = tempfile.mkdtemp(prefix="ad", dir="/tmp")
    with pytest.MonkeyPatch.context() as patch:
        # Serve ends a proxy that is not up within 5 s, and with it the start.
        patch.setenv("RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S", "120")
        ray.init(num_cpus=2, include_dashboard=False, _temp_dir=folder, logging_level="warning", log_to_driver=False)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            number = free.getsockname()[1]
        serve.start(http_options={"host": "127.0.0.1", "port": number})
        yield number
        serve.shutdown()
        ray.shutdown()


@pytest.fixture(scope="module")
def keyword_index(tmp_path_factory):
    """Without an encoder a replica is up within a second or two."""
    folder = tmp_path_factory.mktemp("keyword") / "index"
    build_index(RetrieverConfig(index=IndexConfig(kind="bm25")), ROWS, folder)
    return folder


@pytest.fixture
def serve_app(port):
    from ray import serve

    from agentdistill.retrieval.service import retriever_app

    names = []

    def run(folder, name, route_prefix=None, token=None, **settings):
        config = RetrieverConfig(cpus_per_replica=0.1, **settings)
        serve.run(retriever_app(folder, config, token), name=name, route_prefix=route_prefix)
        names.append(name)
        return ServiceSearch(name, deadline_s=300.0)

    yield run
    for name in names:
        serve.delete(name)


async def titles(search, query, k=1):
    return [passage.title for passage in (await search([query], k))[0]]


async def test_it_answers_through_a_pickled_client(serve_app, keyword_index):
    search = pickle.loads(pickle.dumps(serve_app(keyword_index, "answers")))
    assert await titles(search, "bridges of Rome") == ["Rome"]
    assert "Doc 1 (Title: Graz)" in await search_tool(search)("Graz")
    assert await search_tool(search)("xyzzy") == "No passage was found for this query: xyzzy"


async def test_bad_input_is_the_callers_mistake_and_any_text_is_answered(serve_app, keyword_index):
    search = serve_app(keyword_index, "input")
    with pytest.raises(UserError, match="k is 0"):
        await search(["Oslo"], 0)
    found = await search(["", "Oslo\0", "\ud800 Oslo", "Oslo " * 20_000], 1000)
    assert found[0] == []
    assert [passages[0].title for passages in found[1:]] == ["Oslo"] * 3


async def test_requests_are_batched_and_repeats_come_from_the_cache(serve_app, keyword_index):
    search = serve_app(keyword_index, "batches", batch_wait_s=0.05)
    clients = [ServiceSearch("batches") for _ in range(8)]
    queries = [f"{city} {number}" for city in CITIES for number in range(4)]
    await asyncio.gather(*(clients[i % 8]([query], 1) for i, query in enumerate(queries)))
    await asyncio.gather(*(clients[i % 8]([query], 1) for i, query in enumerate(queries)))
    stats = await search.stats()
    assert stats["queries"] == 2 * len(queries)
    assert stats["cache_hit_rate"] == 0.5
    assert stats["mean_batch"] > 4
    assert stats["held"] == 0


async def test_a_replica_at_its_bound_says_busy_at_once(serve_app, keyword_index):
    search = serve_app(keyword_index, "busy", max_queued=4, max_batch=4, batch_wait_s=5.0, cache_size=0)
    from ray import serve

    # Three queries wait for company; two more are more than there is room for.
    handle = serve.get_app_handle("busy")
    waiting = handle.search.remote(CITIES[:3], 1, 300.0)
    async with asyncio.timeout(120):
        while (await search.stats())["held"] < 3:
            await asyncio.sleep(0.01)
    with pytest.raises(BusyError, match="its bound is 4"):
        await handle.search.remote(CITIES[3:5], 1, 300.0)
    assert [row[1] for (row,) in await waiting] == CITIES[:3]


async def test_a_client_that_is_told_busy_gets_there_all_the_same(serve_app, keyword_index):
    search = serve_app(keyword_index, "full", max_queued=4, max_batch=4, cache_size=0)
    found = await asyncio.gather(*(titles(search, city) for city in CITIES))
    assert found == [[city] for city in CITIES]


async def test_a_deadline_ends_the_wait(serve_app, keyword_index):
    serve_app(keyword_index, "late", batch_wait_s=5.0)
    with pytest.raises(RetrieverError, match="did not answer"):
        await ServiceSearch("late", deadline_s=0.3)(["Oslo"], 1)


async def test_a_service_that_is_not_there_is_down_not_empty(port):
    with pytest.raises(RetrieverError, match="the retriever is down"):
        await search_tool(ServiceSearch("nowhere", deadline_s=0.3))("Oslo")


async def test_a_replica_killed_under_load_loses_no_query(serve_app, keyword_index):
    serve_app(keyword_index, "killed", cache_size=0)
    search = ServiceSearch("killed", deadline_s=120.0)
    pid = (await search.stats())["pid"]
    queries = [f"{city} {number}" for number in range(60) for city in CITIES]
    bound = asyncio.Semaphore(32)
    done = 0

    async def ask(query):
        nonlocal done
        async with bound:
            found = await titles(search, query)
        done += 1
        if done == 100:
            os.kill(pid, signal.SIGKILL)
        return found

    found = await asyncio.gather(*(ask(query) for query in queries))
    assert found == [[query.split()[0]] for query in queries]
    assert (await search.stats())["pid"] != pid


async def test_the_health_check_runs_a_query(serve_app, keyword_index):
    serve_app(keyword_index, "health")
    from ray import serve

    handle = serve.get_app_handle("health")
    await handle.check_health.remote()
    assert (await handle.stats.remote())["batches"] >= 1


async def test_search_r1_clients_work_unchanged(serve_app, keyword_index, port):
    import httpx

    serve_app(keyword_index, "http", route_prefix="/")
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        body = {"queries": ["Oslo", "xyzzy"], "topk": 3, "return_scores": True}
        answer = await client.post("/retrieve", json=body)
        assert answer.status_code == 200
        first, second = answer.json()["result"]
        # As Search-R1 turns a hit into text.
        title, text = first[0]["document"]["contents"].split("\n", 1)
        assert (title, text) == ('"Oslo"', "Oslo is a city. It has 2 bridges.")
        assert first[0]["score"] > 0
        assert second == []
        assert (await client.post("/search", json=body)).json() == answer.json()
        bad = await client.post("/search", json={"queries": ["Oslo"], "topk": 0})
        assert (bad.status_code, bad.json()) == (
            400,
            {"error": "topk: 0, expected a whole number of at least 1"},
        )
        assert (await client.get("/health")).json() == {"status": "ok"}
        assert (await client.get("/stats")).json()["passages"] == len(ROWS)


async def test_http_asks_for_its_token_and_takes_no_body_without_end(serve_app, keyword_index, port):
    import httpx

    serve_app(keyword_index, "token", route_prefix="/", token="open sesame")
    body = {"queries": ["Oslo"], "topk": 1}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        refused = await client.post("/search", json=body)
        assert (refused.status_code, list(refused.json())) == (401, ["error"])
        client.headers["Authorization"] = "Bearer open sesame"
        assert (await client.post("/search", json=body)).status_code == 200
        large = await client.post("/search", content=b" " * 9 * 2**20)
        assert (large.status_code, list(large.json())) == (413, ["error"])
        odd = await client.post("/search", json={"queries": ["3", "?!", "π", "Oslo"], "topk": 1})
        assert [len(found) for found in odd.json()["result"]] == [1, 0, 0, 1]


async def test_a_client_that_disconnects_leaves_nothing_behind(serve_app, keyword_index, port):
    import httpx

    search = serve_app(keyword_index, "gone", route_prefix="/", batch_wait_s=5.0, cache_size=0)
    for _ in range(3):
        async with httpx.AsyncClient(timeout=0.1) as client:
            with pytest.raises(httpx.TimeoutException):
                await client.post(f"http://127.0.0.1:{port}/search", json={"queries": ["Oslo"], "topk": 1})
    assert await titles(search, "Bern") == ["Bern"]
    async with asyncio.timeout(120):
        while (await search.stats())["held"]:
            await asyncio.sleep(0.1)


async def test_shards_over_several_replicas_answer_as_one_index(serve_app, tmp_path):
    config = RetrieverConfig(index=IndexConfig(kind="hybrid", shards=2))
    build_index(config, ROWS, tmp_path / "index")
    local = open_index(tmp_path / "index")
    search = serve_app(tmp_path / "index", "shards", index=config.index)
    queries = ["a city in Spain", "Graz", "bridges of the capital of Norway"]
    assert await search(queries, 4) == local.search(queries, 4)
    local.close()
