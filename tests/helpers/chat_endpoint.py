"""An OpenAI-compatible endpoint in this process: a function answers, every reply counts its words as tokens.

`raw_endpoint` answers what a list says, in turn: any status, headers and body, or a connection that is cut.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

#: From the messages (role and content) and a seed to the text of one reply.
Reply = Callable[[list[dict[str, str]], int], str]


@dataclass
class ChatEndpoint:
    """Where it listens, and what it was asked."""

    url: str
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)  # of each request, names in lower case
    paths: list[str] = field(default_factory=list)  # of each request, with its query


@dataclass(frozen=True)
class Raw:
    """One answer, as it stands; `cut`: the connection is closed in the middle of it."""

    body: Any  # bytes or text as they are, anything else as JSON
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False

    def content(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        return (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()


@contextlib.contextmanager
def chat_endpoint(reply: Reply) -> Iterator[ChatEndpoint]:
    """Listen on a free port for as long as the context is open."""
    with _listening(lambda asked, _: Raw(completion(_texts(reply, asked)))) as endpoint:
        yield endpoint


@contextlib.contextmanager
def raw_endpoint(answers: Sequence[Raw]) -> Iterator[ChatEndpoint]:
    """The same, with these answers one after the other; the last one counts for all that follow."""
    with _listening(lambda _, number: answers[min(number, len(answers) - 1)]) as endpoint:
        yield endpoint


def _texts(reply: Reply, asked: dict[str, Any]) -> list[str]:
    seed = asked.get("seed") or 0
    return [reply(asked["messages"], seed + index) for index in range(asked.get("n") or 1)]


@contextlib.contextmanager
def _listening(answer: Callable[[dict[str, Any], int], Raw]) -> Iterator[ChatEndpoint]:
    endpoint = ChatEndpoint("")
    turns = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
            with turns:
                number = len(endpoint.requests)
                endpoint.requests.append(asked)
                endpoint.headers.append({name.lower(): value for name, value in self.headers.items()})
                endpoint.paths.append(self.path)
            raw = answer(asked, number)
            content = raw.content()
            self.send_response(raw.status)
            for name, value in ({"Content-Type": "application/json"} | dict(raw.headers)).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content) + raw.cut))
            self.end_headers()
            self.wfile.write(content)
            self.close_connection = self.close_connection or raw.cut

        do_GET = do_POST  # a client that follows a redirect may turn its request into this

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    endpoint.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield endpoint
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def completion(texts: Sequence[str | None], **choice: Any) -> dict[str, Any]:
    """The body of a success; `choice` goes into each choice."""
    choices = [
        {"index": index, "message": {"role": "assistant", "content": text}, "finish_reason": "stop", "logprobs": None}
        | choice
        for index, text in enumerate(texts)
    ]
    tokens = sum(len((text or "").split()) for text in texts)
    usage = {"prompt_tokens": 20, "completion_tokens": tokens, "total_tokens": 20 + tokens}
    return {"id": "1", "object": "chat.completion", "created": 0, "model": "m", "usage": usage, "choices": choices}
