"""The engine over HTTP, against a small server that answers what a test tells it to."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from agentdistill.config import EngineConfig
from agentdistill.engines import Engine, open_engine
from agentdistill.errors import EngineError, PromptTooLongError
from agentdistill.types import FinishReason, Message, Request, Role, Sampling

ASKED = (Message(Role.SYSTEM, "Be brief."), Message(Role.USER, "What is 1 + 1?"))
ONCE = Request(ASKED, Sampling())

Answer = Callable[[dict[str, Any]], Awaitable[web.Response]]
StartEngine = Callable[..., Awaitable[Engine]]

# The client waits half a second before a retry unless the server names a shorter pause.
NOW = {"retry-after-ms": "1"}


def choice(text: str | None = "two", index: int = 0, **more: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    return {"index": index, "message": message, "finish_reason": "stop", "logprobs": None, **more}


def body(*choices: Any, **more: Any) -> dict[str, Any]:
    usage = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
    chat = {"id": "1", "object": "chat.completion", "created": 0, "model": "m", "usage": usage}
    return {**chat, "choices": list(choices or [choice()]), **more}


def refusal(status: int, message: str, code: str | None = None) -> web.Response:
    return web.json_response({"error": {"message": message, "code": code}}, status=status, headers=NOW)


@dataclass
class Endpoint:
    """What the server was asked, and what it answers, in turn; the last answer counts for all that follow."""

    answers: list[web.Response | dict[str, Any] | Answer] = field(default_factory=lambda: [body()])
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        asked = await request.json()
        answer = self.answers[min(len(self.requests), len(self.answers) - 1)]
        self.requests.append(asked)
        self.keys.append(request.headers.get("Authorization"))
        if callable(answer):
            return await answer(asked)
        if isinstance(answer, dict):
            return web.json_response(answer)
        return web.Response(body=answer.body, status=answer.status, headers=answer.headers)


@pytest.fixture
def endpoint() -> Endpoint:
    return Endpoint()


@pytest.fixture
async def start(endpoint: Endpoint) -> AsyncIterator[StartEngine]:
    app = web.Application()
    app.router.add_post("/v1/chat/completions", endpoint.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    engines: list[Engine] = []

    async def open_one(**settings: Any) -> Engine:
        host, port = runner.addresses[0][:2]
        given = {"model": "m", "retries": 1, "stall_s": 20.0, "base_url": f"http://{host}:{port}/v1", **settings}
        engines.append(await open_engine(EngineConfig(engine="openai", **given)))
        return engines[-1]

    yield open_one
    for engine in engines:
        await engine.close()
    await runner.cleanup()


async def test_the_request_carries_the_conversation_and_the_sampling(endpoint: Endpoint, start: StartEngine) -> None:
    endpoint.answers = [body(choice(), choice(index=1))]
    sampling = Sampling(n=2, temperature=0.4, top_p=0.8, max_tokens=99, stop=("<end_code>", "\nObs"), seed=5)
    await (await start(dialect="openai"))(Request(ASKED, sampling))
    (asked,) = endpoint.requests
    assert asked == {
        "model": "m",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is 1 + 1?"}],
        "n": 2,
        "temperature": 0.4,
        "top_p": 0.8,
        "max_tokens": 99,
        "stop": ["<end_code>", "\nObs"],
        "seed": 5,
    }


async def test_vllms_extensions_are_asked_of_vllm_alone(endpoint: Endpoint, start: StartEngine) -> None:
    await (await start(dialect="vllm"))(ONCE)
    await (await start(dialect="openai"))(ONCE)
    extensions = [
        set(asked) - {"model", "messages", "n", "temperature", "top_p", "max_tokens"} for asked in endpoint.requests
    ]
    neutral = {"repetition_penalty": 1.0, "top_k": -1, "min_p": 0.0}
    assert extensions == [{"include_stop_str_in_output", "return_token_ids", *neutral}, set()]
    # What is not sent, vLLM fills from the model's generation config.
    assert {name: endpoint.requests[0][name] for name in neutral} == neutral


async def test_a_prefix_is_a_last_message_that_vllm_continues(endpoint: Endpoint, start: StartEngine) -> None:
    for dialect in ("vllm", "openai"):
        await (await start(dialect=dialect))(Request(ASKED, Sampling(), prefix="Thought: I"))
    vllm, openai = endpoint.requests
    assert vllm["messages"][-1] == openai["messages"][-1] == {"role": "assistant", "content": "Thought: I"}
    assert (vllm["continue_final_message"], vllm["add_generation_prompt"]) == (True, False)
    assert "continue_final_message" not in openai


async def test_the_key_comes_from_the_named_variable(
    endpoint: Endpoint, start: StartEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", "open sesame")
    await (await start(api_key_env="MY_KEY"))(ONCE)
    monkeypatch.delenv("MY_KEY")
    await (await start(api_key_env="MY_KEY"))(ONCE)
    assert endpoint.keys == ["Bearer open sesame", None]


async def test_token_ids_are_kept_and_counted(endpoint: Endpoint, start: StartEngine) -> None:
    cut = choice("t", 1, token_ids=[7], finish_reason="length")
    endpoint.answers = [body(choice(token_ids=[4, 5, 6]), cut, prompt_token_ids=[1, 2, 3])]
    first, second = await (await start())(Request(ASKED, Sampling(n=2)))
    assert (first.text, first.token_ids, first.num_completion_tokens) == ("two", (4, 5, 6), 3)
    assert (second.token_ids, second.num_completion_tokens) == ((7,), 1)
    assert first.prompt_token_ids == second.prompt_token_ids == (1, 2, 3)
    assert (first.num_prompt_tokens, first.finish_reason) == (11, FinishReason.STOP)
    assert second.finish_reason is FinishReason.LENGTH


async def test_without_token_ids_the_shares_of_the_count_add_up(endpoint: Endpoint, start: StartEngine) -> None:
    endpoint.answers = [body(*(choice(index=index) for index in range(3)))]
    completions = await (await start(dialect="openai"))(Request(ASKED, Sampling(n=3)))
    assert [completion.num_completion_tokens for completion in completions] == [3, 2, 2]


async def test_without_any_count_there_is_none(endpoint: Endpoint, start: StartEngine) -> None:
    endpoint.answers = [body(usage=None)]
    (completion,) = await (await start())(ONCE)
    assert (completion.num_prompt_tokens, completion.num_completion_tokens) == (0, 0)


async def test_logprobs_come_where_they_are_asked_for(endpoint: Endpoint, start: StartEngine) -> None:
    content = [{"token": "a", "logprob": -0.5, "bytes": None, "top_logprobs": []}]
    endpoint.answers = [body(choice(logprobs={"content": content, "refusal": None}))]
    (completion,) = await (await start())(Request(ASKED, Sampling(logprobs=True)))
    assert endpoint.requests[0]["logprobs"] is True
    assert completion.logprobs == (-0.5,)


async def test_an_answer_without_content_is_empty_text(endpoint: Endpoint, start: StartEngine) -> None:
    endpoint.answers = [body(choice(None))]
    (completion,) = await (await start())(ONCE)
    assert completion.text == ""


async def test_no_more_than_the_bound_are_in_flight(endpoint: Endpoint, start: StartEngine) -> None:
    inside, most, full = 0, 0, asyncio.Event()

    async def answer(asked: dict[str, Any]) -> web.Response:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        if inside == 3:
            full.set()
        await full.wait()
        # Whoever else the client lets through arrives while this one still holds its place.
        for _ in range(20):
            await asyncio.sleep(0)
        inside -= 1
        return web.json_response(body())

    endpoint.answers = [answer]
    engine = await start(max_in_flight=3)
    await asyncio.gather(*(engine(ONCE) for _ in range(12)))
    assert (most, len(endpoint.requests)) == (3, 12)


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_passing_failure_is_tried_again(endpoint: Endpoint, start: StartEngine, status: int) -> None:
    endpoint.answers = [refusal(status, "not now"), body()]
    (completion,) = await (await start())(ONCE)
    assert (completion.text, len(endpoint.requests)) == ("two", 2)


@pytest.mark.parametrize(
    ("status", "name"), [(429, "the endpoint is busy"), (500, "the endpoint failed with status 500")]
)
async def test_a_lasting_failure_is_an_engine_error(
    endpoint: Endpoint, start: StartEngine, status: int, name: str
) -> None:
    endpoint.answers = [refusal(status, "still not")]
    with pytest.raises(EngineError, match=f"m: {name}.*still not"):
        await (await start(patience_s=0))(ONCE)
    assert len(endpoint.requests) == 2


async def test_after_a_failure_its_place_is_free_again(endpoint: Endpoint, start: StartEngine) -> None:
    endpoint.answers = [refusal(400, "no"), body()]
    engine = await start(max_in_flight=1)
    with pytest.raises(EngineError):
        await engine(ONCE)
    assert (await engine(ONCE))[0].text == "two"


async def test_a_cancelled_request_frees_its_place(endpoint: Endpoint, start: StartEngine) -> None:
    arrived, never = asyncio.Event(), asyncio.Event()

    async def hang(asked: dict[str, Any]) -> web.Response:
        arrived.set()
        await never.wait()
        return web.json_response(body())

    endpoint.answers = [hang, body()]
    engine = await start(max_in_flight=1)
    task = asyncio.ensure_future(engine(ONCE))
    await arrived.wait()
    task.cancel()
    assert (await engine(ONCE))[0].text == "two"
    assert task.cancelled()


@pytest.mark.parametrize(
    ("status", "message", "code"),
    [
        (400, "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens", None),
        (400, "The decoder prompt (length 5000) is longer than the maximum model length of 4096.", None),
        (400, "Please reduce your input", "context_length_exceeded"),
        (400, "the request exceeds the available context size", None),
        (413, "Prompt is too long", None),
    ],
)
async def test_a_prompt_that_does_not_fit_is_said_so_and_not_tried_again(
    endpoint: Endpoint, start: StartEngine, status: int, message: str, code: str | None
) -> None:
    endpoint.answers = [refusal(status, message, code)]
    with pytest.raises(PromptTooLongError, match="m: "):
        await (await start())(ONCE)
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize("status", [400, 422])
async def test_any_other_refusal_is_an_engine_error_and_not_tried_again(
    endpoint: Endpoint, start: StartEngine, status: int
) -> None:
    endpoint.answers = [refusal(status, "temperature must be positive")]
    with pytest.raises(EngineError, match=r"refused the request: .*temperature must be positive"):
        await (await start())(ONCE)
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize(
    ("text", "content_type"),
    [
        ("<html>Welcome</html>", "text/html"),
        ("two", "application/json"),
        ("", "application/json"),
        ("null", "application/json"),
        ("[]", "application/json"),
        ("{}", "application/json"),
        ('{"choices": null}', "application/json"),
        ('{"choices": 3}', "application/json"),
        ('{"choices": []}', "application/json"),
        ('{"choices": ["two"]}', "application/json"),
        ('{"choices": [{}]}', "application/json"),
        ('{"choices": [{"message": null}]}', "application/json"),
        (json.dumps(body(choice({"a": 1}))), "application/json"),  # type: ignore[arg-type]
        (json.dumps(body(usage={"completion_tokens": "many"})), "application/json"),
        (json.dumps(body(usage=[3])), "application/json"),
        (json.dumps(body(choice(), choice(index=1))), "application/json"),  # more than were asked for
        ("[" * 100_000, "application/json"),
        (json.dumps(body(choice(token_ids=3))), "application/json"),
    ],
)
async def test_nonsense_is_an_engine_error(
    endpoint: Endpoint, start: StartEngine, text: str, content_type: str
) -> None:
    endpoint.answers = [web.Response(text=text, content_type=content_type)]
    with pytest.raises(EngineError, match=r"^m: "):
        await (await start(retries=0))(ONCE)


async def test_an_endpoint_that_hangs_is_an_engine_error(endpoint: Endpoint, start: StartEngine) -> None:
    never = asyncio.Event()

    async def hang(asked: dict[str, Any]) -> web.Response:
        await never.wait()
        return web.json_response(body())

    endpoint.answers = [hang]
    with pytest.raises(EngineError, match=r"m: the endpoint gave no answer within 0\.2 s, 2 times tried"):
        await (await start(stall_s=0.2, retries=1))(ONCE)


async def test_an_endpoint_that_trickles_is_noticed_by_the_same_deadline(
    endpoint: Endpoint, start: StartEngine
) -> None:
    app = web.Application()

    async def trickle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            while True:
                await response.write(b" ")
                await asyncio.sleep(0.02)
        return response

    app.router.add_post("/v1/chat/completions", trickle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        engine = await start(stall_s=0.5, retries=0, base_url=f"http://127.0.0.1:{runner.addresses[0][1]}/v1")
        with pytest.raises(EngineError, match=r"m: the endpoint gave no answer within 0\.5 s"):
            await asyncio.wait_for(engine(ONCE), 30)
    finally:
        await runner.cleanup()


async def test_where_nobody_listens_it_is_an_engine_error(start: StartEngine) -> None:
    with pytest.raises(EngineError, match="m: APIConnectionError"):
        await (await start(base_url="http://127.0.0.1:9/v1", retries=0))(ONCE)
