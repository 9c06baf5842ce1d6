"""The service's client: who is asked together, what is tried again, and which error says what."""

import asyncio
import pickle

import pytest

from agentdistill.config.retriever import RetrieverConfig
from agentdistill.errors import BusyError, RetrieverError, UserError
from agentdistill.retrieval.client import ServiceSearch, service_search


class Handle:
    """A scripted Serve handle: each request gets the next act, the last one for ever."""

    def __init__(self, *acts):
        self.acts = list(acts)
        self.requests = []
        self.search = self

    def remote(self, queries, k, deadline_s):
        self.requests.append(list(queries))
        act = self.acts.pop(0) if len(self.acts) > 1 else self.acts[0]
        return act(queries, k)


async def answer(queries, k):
    await asyncio.sleep(0.01)
    return [[(f"id {query}", query, "text", 1.0)] * k for query in queries]


async def busy(queries, k):
    raise BusyError("the retriever holds 512 queries")


async def dies(queries, k):
    raise ConnectionResetError("the replica died")


async def cancelled(queries, k):
    raise asyncio.CancelledError


async def hangs(queries, k):
    await asyncio.sleep(60)


def says(answer):
    """A retriever that answers every request with this."""

    async def act(queries, k):
        return answer

    return act


async def refuses(queries, k):
    raise UserError("no such thing")


async def titles(search, query):
    return [passage.title for passage in (await search([query], 1))[0]]


async def test_an_answer_comes_as_passages():
    assert await titles(ServiceSearch(Handle(answer)), "Oslo") == ["Oslo"]


@pytest.mark.parametrize("failure", [busy, dies, cancelled])
async def test_a_failure_that_passes_is_tried_again(failure):
    handle = Handle(failure, failure, answer)
    assert await titles(ServiceSearch(handle), "Oslo") == ["Oslo"]
    assert len(handle.requests) == 3


async def test_busy_to_the_end_is_busy():
    with pytest.raises(BusyError, match="holds 512 queries"):
        await titles(ServiceSearch(Handle(busy), deadline_s=0.2), "Oslo")


@pytest.mark.parametrize(
    ("failure", "kind", "words"), [(busy, BusyError, "holds 512 queries"), (dies, RetrieverError, "the replica died")]
)
async def test_a_last_try_that_was_too_short_does_not_hide_what_is_wrong(failure, kind, words):
    with pytest.raises(kind, match=words):
        await titles(ServiceSearch(Handle(failure, hangs), deadline_s=0.3), "Oslo")


@pytest.mark.parametrize("failure", [dies, cancelled, hangs])
async def test_down_to_the_end_is_a_retriever_error(failure):
    with pytest.raises(RetrieverError):
        await titles(ServiceSearch(Handle(failure), deadline_s=0.2), "Oslo")


@pytest.mark.parametrize(
    "answer",
    [
        None,
        "<html>500 Internal Server Error</html>",
        {"result": []},
        [],
        [[], []],
        [["abcd"]],
        [[("id", "title", "text")]],
        [[("id", None, "text", 1.0)]],
        [[("id", "title", "text", "high")]],
    ],
)
async def test_nonsense_is_a_retriever_error_not_an_empty_answer(answer):
    with pytest.raises(RetrieverError, match="expected for each of 1 queries a list"):
        await titles(ServiceSearch(Handle(says(answer)), deadline_s=0.1), "Oslo")


async def test_nonsense_that_passes_is_asked_again():
    assert await titles(ServiceSearch(Handle(says(None), answer)), "Oslo") == ["Oslo"]


def test_the_client_of_a_service_is_as_patient_and_as_wide_as_its_config_says():
    search = service_search("retriever", RetrieverConfig(deadline_s=7.0, max_replicas=3))
    assert (search.deadline_s, search.requests_in_flight) == (7.0, 6)


async def test_the_callers_own_mistake_is_not_tried_again():
    handle = Handle(refuses)
    with pytest.raises(UserError, match="no such thing"):
        await titles(ServiceSearch(handle), "Oslo")
    assert len(handle.requests) == 1


@pytest.mark.parametrize(("queries", "k"), [(["Oslo"], 0), ([None], 1)])
async def test_a_bad_call_is_refused_before_anything_is_sent(queries, k):
    handle = Handle(answer)
    with pytest.raises(UserError):
        await ServiceSearch(handle)(queries, k)
    assert handle.requests == []


async def test_calls_made_at_once_share_requests_and_each_gets_its_own_answer():
    handle = Handle(answer)
    search = ServiceSearch(handle)
    found = await asyncio.gather(*(titles(search, f"query {i}") for i in range(50)))
    assert found == [[f"query {i}"] for i in range(50)]
    assert len(handle.requests) <= 4


async def test_one_request_is_bounded():
    handle = Handle(answer)
    search = ServiceSearch(handle)
    await asyncio.gather(*(search([f"{i}a", f"{i}b", f"{i}c"], 1) for i in range(60)))
    assert max(len(request) for request in handle.requests) <= 64


async def test_calls_can_be_sent_alone():
    handle = Handle(answer)
    search = ServiceSearch(handle, requests_in_flight=5, max_together=1)
    await asyncio.gather(*(titles(search, f"query {i}") for i in range(10)))
    assert [len(request) for request in handle.requests] == [1] * 10


async def test_calls_with_another_k_do_not_mix():
    search = ServiceSearch(Handle(answer))
    found = await asyncio.gather(*(search(["Oslo"], k) for k in (1, 2, 3)))
    assert [len(passages[0]) for passages in found] == [1, 2, 3]


async def test_a_caller_that_gives_up_takes_nobody_with_it():
    search = ServiceSearch(Handle(answer))
    calls = [asyncio.create_task(titles(search, f"query {i}")) for i in range(5)]
    await asyncio.sleep(0)
    calls[0].cancel()
    calls[3].cancel()
    found = await asyncio.gather(*calls, return_exceptions=True)
    assert [found[i] for i in (1, 2, 4)] == [["query 1"], ["query 2"], ["query 4"]]


async def test_a_failure_reaches_every_caller_of_the_request():
    search = ServiceSearch(Handle(busy), deadline_s=0.2)
    found = await asyncio.gather(*(titles(search, f"query {i}") for i in range(5)), return_exceptions=True)
    assert [type(error) for error in found] == [BusyError] * 5


async def test_a_client_that_was_used_still_pickles():
    search = ServiceSearch("retriever", deadline_s=3.0)
    copy = pickle.loads(pickle.dumps(search))
    assert isinstance(copy, ServiceSearch)
    used = ServiceSearch(Handle(answer))
    await titles(used, "Oslo")
    state = used.__getstate__()
    assert state["_lanes"] is None


def test_each_event_loop_may_use_one_client():
    search = ServiceSearch(Handle(answer))
    assert [asyncio.run(titles(search, name)) for name in ("Oslo", "Bern")] == [["Oslo"], ["Bern"]]
