"""The HTTP face speaks Search-R1's words and names what is wrong with a request."""

import json

import pytest

from agentdistill.errors import BusyError, RetrieverError, UserError
from agentdistill.retrieval.http import answer, parse_request

ROWS = [("7", "Oslo", "Oslo is a city.", 0.5)]


class Replica:
    default_k = 3

    def __init__(self, error=None):
        self.error = error
        self.asked = []

    async def search(self, queries, k):
        if self.error:
            raise self.error
        self.asked.append((queries, k))
        return [ROWS if query else [] for query in queries]

    async def stats(self):
        return {"queries": 1}

    async def check_health(self):
        if self.error:
            raise self.error


class Request:
    """What of a Starlette request is used."""

    def __init__(self, path, body=None, method="POST"):
        self.method = method
        self.url = type("Url", (), {"path": path})
        self._body = body

    async def body(self):
        return self._body if isinstance(self._body, bytes) else json.dumps(self._body).encode()


async def ask(path, body=None, replica=None, method="POST"):
    response = await answer(Request(path, body, method), replica or Replica())
    return response.status_code, json.loads(response.body)


@pytest.mark.parametrize("path", ["/retrieve", "/search", "/retriever/search/"])
async def test_scores_come_where_they_are_asked_for(path):
    body = {"queries": ["Oslo", ""], "topk": 1, "return_scores": True}
    document = {"id": "7", "contents": '"Oslo"\nOslo is a city.'}
    assert await ask(path, body) == (200, {"result": [[{"document": document, "score": 0.5}], []]})


async def test_documents_come_alone_without_scores():
    document = {"id": "7", "contents": '"Oslo"\nOslo is a city.'}
    assert await ask("/retrieve", {"queries": ["Oslo"]}) == (200, {"result": [[document]]})


async def test_topk_may_be_left_out_or_null():
    replica = Replica()
    await ask("/retrieve", {"queries": ["Oslo"], "topk": None}, replica)
    await ask("/retrieve", {"queries": ["Oslo"]}, replica)
    assert replica.asked == [(["Oslo"], 3), (["Oslo"], 3)]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"{", "not valid JSON"),
        ([], "the body is a JSON list"),
        ({}, "queries: expected a list of strings"),
        ({"queries": "Oslo"}, "queries: expected a list of strings"),
        ({"queries": [1]}, "queries: expected a list of strings"),
        ({"queries": ["x"] * 2000}, "at most 1024"),
        ({"queries": ["x"], "topk": 0}, "topk: 0"),
        ({"queries": ["x"], "topk": "3"}, "topk: '3'"),
        ({"queries": ["x"], "return_scores": 1}, "return_scores: 1"),
    ],
)
async def test_a_bad_request_is_named(body, expected):
    status, value = await ask("/retrieve", body)
    assert status == 400
    assert expected in value["error"]


@pytest.mark.parametrize(
    ("error", "status"), [(BusyError("full"), 503), (RetrieverError("down"), 504), (UserError("bad"), 400)]
)
async def test_each_kind_of_failure_has_its_status(error, status):
    assert await ask("/retrieve", {"queries": ["x"]}, Replica(error)) == (status, {"error": str(error)})


async def test_busy_says_when_to_come_back():
    response = await answer(Request("/retrieve", {"queries": ["x"]}), Replica(BusyError("full")))
    assert int(response.headers["Retry-After"]) >= 1


async def test_health_runs_the_check():
    assert (await ask("/health", method="GET"))[0] == 200
    assert (await ask("/health", replica=Replica(RetrieverError("down")), method="GET"))[0] == 504


async def test_other_paths_and_methods_are_refused():
    assert (await ask("/elsewhere"))[0] == 404
    assert (await ask("/retrieve", method="GET"))[0] == 405


def test_an_empty_list_of_queries_is_a_request():
    assert parse_request({"queries": []}, 3) == ([], 3, False)
