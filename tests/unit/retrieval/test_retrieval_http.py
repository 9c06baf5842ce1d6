"""The HTTP face speaks Search-R1's words and names what is wrong with a request."""

import json
from collections.abc import Iterator

import pytest
from starlette.requests import ClientDisconnect

from agentdistill.errors import BusyError, RetrieverError, UserError
from agentdistill.retrieval.http import MAX_BODY_BYTES, MAX_TOPK, answer, parse_request, token_digest

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

    def __init__(self, path, body=None, method="POST", headers=None):
        self.method = method
        self.url = type("Url", (), {"path": path})
        self.headers = headers or {}
        self.read = 0
        self._body = body

    async def stream(self):
        body = json.dumps(self._body).encode() if not isinstance(self._body, bytes | Iterator) else self._body
        for part in [body] if isinstance(body, bytes) else body:
            self.read += len(part)
            yield part


class Gone(Request):
    async def stream(self):
        raise ClientDisconnect
        yield


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
        ({"queries": ["x"], "topk": MAX_TOPK + 1}, "topk: 1001, expected at most 1000"),
        ({"queries": ["x"], "topk": 10**30}, "expected at most 1000"),
        ({"queries": ["x"] * 1_000, "topk": 100}, "topk: 100 for 1000 queries, expected at most 50000 passages"),
        ({"queries": ["x"], "topk": True}, "topk: True"),
        ({"queries": ["x"], "topk": 1e3}, "topk: 1000.0"),
        (b'{"queries": ["x"], "topk": ' + b"9" * 5000 + b"}", "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b"\xff\xfe\xfd", "not valid JSON"),
        (b"", "not valid JSON"),
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


async def test_a_body_that_is_too_large_is_refused_and_not_read_to_its_end():
    chunk = b" " * 2**20
    request = Request("/retrieve", iter([chunk] * 1_000))
    response = await answer(request, Replica())
    assert (response.status_code, list(json.loads(response.body))) == (413, ["error"])
    assert request.read <= MAX_BODY_BYTES + len(chunk)


@pytest.mark.parametrize("path", ["/retrieve", "/health", "/stats"])
async def test_a_fault_is_json_too_and_tells_nothing_of_the_inside(path):
    class Broken(Replica):
        async def search(self, queries, k):
            raise KeyError("/secret/path")

        check_health = stats = lambda self: self.search([], 1)

    status, value = await ask(path, {"queries": ["x"]}, Broken(), "POST" if path == "/retrieve" else "GET")
    assert (status, list(value)) == (500, ["error"])
    assert "secret" not in value["error"]


async def test_a_client_that_goes_away_is_no_fault():
    response = await answer(Gone("/retrieve"), Replica())
    assert (response.status_code, list(json.loads(response.body))) == (400, ["error"])


@pytest.mark.parametrize("path", ["/retrieve", "/search", "/health", "/stats", "/elsewhere"])
@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer ", "Bearer wrong", "Bearer tokentoken", "Basic token", "token", "Bearer töken",
     "Bearer " + token_digest("token")],
)  # fmt: skip
async def test_without_its_token_nothing_is_answered_or_read(path, header):
    replica = Replica()
    request = Request(path, {"queries": ["x"]}, headers={} if header is None else {"authorization": header})
    response = await answer(request, replica, token_digest("token"))
    assert (response.status_code, response.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert list(json.loads(response.body)) == ["error"]
    assert (replica.asked, request.read) == ([], 0)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
async def test_with_its_token_a_request_is_answered(scheme):
    request = Request("/retrieve", {"queries": ["Oslo"]}, headers={"authorization": f"{scheme} token"})
    assert (await answer(request, Replica(), token_digest("token"))).status_code == 200


async def test_health_runs_the_check():
    assert (await ask("/health", method="GET"))[0] == 200
    assert (await ask("/health", replica=Replica(RetrieverError("down")), method="GET"))[0] == 504


async def test_other_paths_and_methods_are_refused():
    assert (await ask("/elsewhere"))[0] == 404
    assert (await ask("/retrieve", method="GET"))[0] == 405


def test_an_empty_list_of_queries_is_a_request():
    assert parse_request({"queries": []}, 3) == ([], 3, False)
