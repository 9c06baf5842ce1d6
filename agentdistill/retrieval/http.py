"""The HTTP face, in the words of Search-R1's retrieval server, so that its clients work unchanged.

`POST /retrieve` or `/search` with `{"queries": [...], "topk": 3, "return_scores": true}` answers
`{"result": [[{"document": {"id", "contents"}, "score"}, ...], ...]}`; without `return_scores` the documents alone.
`contents` has the title in quotes on its first line. `GET /health` runs a real query, `GET /stats` gives the counts.
Status: 400 bad request, 401 without the token where one is asked for (`Authorization: Bearer TOKEN`), 404 unknown path,
405 other method, 413 body too large, 500 a fault, 503 busy, 504 past the deadline or down; each with
`{"error": sentence}`.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse

from agentdistill.errors import BusyError, RetrieverError, UserError
from agentdistill.retrieval.corpus import contents

MAX_QUERIES = 1_024
MAX_TOPK = 1_000
MAX_PASSAGES = 50_000  # queries times topk
MAX_BODY_BYTES = 8 * 2**20
BUSY_RETRY_S = 1

_logger = logging.getLogger(__name__)


class _BodyTooLarge(Exception):
    """More bytes than a request may have."""


def token_digest(token: str) -> str:
    """What a replica is given in place of the token, to compare with."""
    return hashlib.sha256(token.encode()).hexdigest()


async def answer(request: Any, replica: Any, digest: str | None = None) -> JSONResponse:
    """Answer one HTTP request with a RetrieverReplica; `digest`: of the token that it must bring."""
    if digest is not None and not _is_admitted(request, digest):
        return _problem(
            401, "expected the header `Authorization: Bearer TOKEN` with this service's token",
            {"WWW-Authenticate": "Bearer"},
        )  # fmt: skip
    path = request.url.path.rstrip("/")
    try:
        if path.endswith(("/retrieve", "/search")):
            return await _retrieve(request, replica)
        if path.endswith("/stats"):
            return JSONResponse(await replica.stats())
        if path.endswith("/health"):
            await replica.check_health()
            return JSONResponse({"status": "ok"})
    except UserError as error:
        return _problem(400, error)
    except BusyError as error:
        return _problem(503, error, {"Retry-After": str(BUSY_RETRY_S)})
    except RetrieverError as error:
        return _problem(504, error)
    except _BodyTooLarge:
        return _problem(413, f"the body is larger than {MAX_BODY_BYTES} bytes; send fewer queries in one request")
    except Exception:
        _logger.exception("%s %s failed", request.method, request.url.path)
        return _problem(500, "the retriever failed on this request; its log says how")
    return _problem(404, f"{request.url.path}: expected POST /retrieve, POST /search, GET /health or GET /stats")


async def _retrieve(request: Any, replica: Any) -> JSONResponse:
    if request.method != "POST":
        return _problem(405, f"{request.method} {request.url.path}: expected POST")
    try:
        body = json.loads(await _read_body(request))
    except ClientDisconnect as error:
        raise UserError("the client went away before its request was read") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"the body is not valid JSON: {error}") from error
    queries, k, with_scores = parse_request(body, replica.default_k)
    results = await replica.search(queries, k)
    return JSONResponse({"result": [[_hit(row, with_scores) for row in rows] for rows in results]})


async def _read_body(request: Any) -> bytes:
    """The body, read no further than it may be long. Raises _BodyTooLarge."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BODY_BYTES:
            raise _BodyTooLarge
        parts.append(part)
    return b"".join(parts)


def _is_admitted(request: Any, digest: str) -> bool:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    # Digests have one length, and are compared in a time that tells nothing of where they differ.
    return scheme.lower() == "bearer" and hmac.compare_digest(token_digest(token.strip()), digest)


def parse_request(body: Any, default_k: int) -> tuple[list[str], int, bool]:
    """The queries, topk and return_scores of a request body. Raises UserError naming the field."""
    if not isinstance(body, dict):
        raise UserError(f"the body is a JSON {type(body).__name__}, expected an object")
    queries = body.get("queries")
    if not isinstance(queries, list) or not all(isinstance(query, str) for query in queries):
        raise UserError("queries: expected a list of strings")
    if len(queries) > MAX_QUERIES:
        raise UserError(f"queries: {len(queries)} of them, expected at most {MAX_QUERIES} in one request")
    k = body.get("topk")
    k = default_k if k is None else k
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise UserError(f"topk: {k!r}, expected a whole number of at least 1")
    if k > MAX_TOPK:
        raise UserError(f"topk: {k}, expected at most {MAX_TOPK}")
    if k * len(queries) > MAX_PASSAGES:
        raise UserError(
            f"topk: {k} for {len(queries)} queries, expected at most {MAX_PASSAGES} passages in one request"
        )
    with_scores = body.get("return_scores", False)
    if not isinstance(with_scores, bool):
        raise UserError(f"return_scores: {with_scores!r}, expected true or false")
    return queries, k, with_scores


def _hit(row: tuple[str, str, str, float], with_score: bool) -> dict[str, Any]:
    identity, title, text, score = row
    document = {"id": identity, "contents": contents(title, text)}
    return {"document": document, "score": score} if with_score else document


def _problem(status: int, error: object, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": str(error)}, status_code=status, headers=headers)
