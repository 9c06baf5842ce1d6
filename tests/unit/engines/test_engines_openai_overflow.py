"""A prompt that does not fit is told from every other refusal, in the words of each kind of endpoint."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chat_endpoint import ChatEndpoint, Raw, completion, raw_endpoint

from agentdistill.config import EngineConfig
from agentdistill.engines import Engine, open_engine
from agentdistill.errors import EngineError, PromptTooLongError
from agentdistill.types import Message, Request, Role, Sampling

ASKED = (Message(Role.USER, "What is 1 + 1?"),)


@contextlib.contextmanager
def serving(*answers: Raw) -> Iterator[ChatEndpoint]:
    with raw_endpoint(answers) as endpoint:
        yield endpoint


async def opened(endpoint: ChatEndpoint, **settings: Any) -> Engine:
    given = {"model": "m", "base_url": endpoint.url, "retries": 0, "patience_s": 0.0, "stall_s": 20.0, **settings}
    return await open_engine(EngineConfig(engine="openai", **given))


def error(message: str, **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None} | more}


#: What endpoints answer: a prompt too long, something else too long, and with a `max_tokens` of 4000 how much fits.
SAID = json.loads((Path(__file__).parent / "refusals.json").read_text())
OVERFLOWS = SAID["overflows"]


@pytest.mark.parametrize("name", OVERFLOWS)
async def test_a_prompt_that_does_not_fit_is_said_so(name: str) -> None:
    with serving(Raw(OVERFLOWS[name], 400)) as endpoint:
        with pytest.raises(PromptTooLongError, match="m: "):
            await (await opened(endpoint))(Request(ASKED, Sampling(max_tokens=1000)))
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize(("status", "name"), [(500, "llama.cpp"), (200, "llama.cpp"), (422, "tgi"), (413, "anthropic")])
async def test_so_it_is_with_another_status(status: int, name: str) -> None:
    with serving(Raw(OVERFLOWS[name], status)) as endpoint:
        with pytest.raises(PromptTooLongError):
            await (await opened(endpoint))(Request(ASKED, Sampling(max_tokens=1000)))


async def test_a_proxy_that_takes_no_body_of_that_size_says_it_too() -> None:
    page = "<html><head><title>413 Request Entity Too Large</title></head><body>nginx</body></html>"
    with serving(Raw(page, 413, {"Content-Type": "text/html"})) as endpoint:
        with pytest.raises(PromptTooLongError, match="413 Request Entity Too Large"):
            await (await opened(endpoint))(Request(ASKED, Sampling()))


@pytest.mark.parametrize("body", SAID["others"])
@pytest.mark.parametrize("status", [400, 413])
async def test_what_is_too_long_elsewhere_is_another_refusal(body: Any, status: int) -> None:
    if status == 413 and "stop" not in str(body) and "tokens per" not in str(body):
        status = 422
    with serving(Raw(body, status)) as endpoint:
        with pytest.raises(EngineError, match="m: the endpoint refused the request: "):
            await (await opened(endpoint))(Request(ASKED, Sampling()))
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize(("message", "room"), SAID["rooms"])
async def test_too_much_output_is_asked_again_with_what_there_is_room_for(message: str, room: int) -> None:
    with serving(Raw(error(message), 400), Raw(completion(["two"]))) as endpoint:
        (found,) = await (await opened(endpoint))(Request(ASKED, Sampling(max_tokens=4000)))
    assert found.text == "two"
    assert [asked["max_tokens"] for asked in endpoint.requests] == [4000, room]


async def test_where_the_prompt_was_not_counted_to_its_end_half_as_much_is_asked_for() -> None:
    def refused(asked: int) -> Raw:
        text = (
            f"This model's maximum context length is 131072 tokens. However, you requested {asked} output tokens and "
            f"your prompt contains at least {131073 - asked} input tokens, for a total of at least 131073 tokens. "
            "Please reduce the length of the input prompt or the number of requested output tokens."
        )
        return Raw(error(text, param="input_tokens"), 400)

    with serving(refused(4000), refused(2000), Raw(completion(["two"]))) as endpoint:
        await (await opened(endpoint))(Request(ASKED, Sampling(max_tokens=4000)))
    assert [asked["max_tokens"] for asked in endpoint.requests] == [4000, 2000, 1000]
    with serving(refused(4)) as endpoint:
        with pytest.raises(PromptTooLongError):
            await (await opened(endpoint))(Request(ASKED, Sampling(max_tokens=4)))
    assert [asked["max_tokens"] for asked in endpoint.requests] == [4, 2, 1]


async def test_an_endpoint_that_counts_wrongly_is_not_asked_for_ever() -> None:
    message = "input length and `max_tokens` exceed context limit: 10 + 4000 > 200000"
    with serving(Raw(error(message), 400)) as endpoint:
        with pytest.raises(PromptTooLongError):
            await (await opened(endpoint))(Request(ASKED, Sampling(max_tokens=4000)))
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"error": "no such model"}, "no such model"),
        ({"detail": "Not authenticated"}, "Not authenticated"),
        ({"detail": [{"type": "extra_forbidden", "loc": ["body", "top_q"], "msg": "Extra inputs are not permitted"},
                     {"loc": ["body", "x"], "msg": "Field required"}]},
         "body.top_q: Extra inputs are not permitted; body.x: Field required"),
        ({"detail": ["a", {"b": 1}]}, 'a; {"b": 1}'),
        ({"message": "bad key"}, "bad key"),
        ({"error": {"message": "Provider returned error", "code": 400}}, "Provider returned error"),
        ([{"error": {"message": "API key not valid."}}], "API key not valid."),
        ({"error": {"code": 1210, "message": {"text": "odd"}}}, "odd"),
        ({"error": {"message": '{"error": "inner"}'}}, "inner"),
        ({"errors": [{"message": "first"}, {"message": "second"}]}, "first"),
        ({"reason": "another shape"}, "another shape"),
        ("plain words", "plain words"),
        ("<html><body><h1>Bad  Request</h1></body></html>", "Bad Request"),
    ],
)  # fmt: skip
async def test_the_reason_is_kept_whatever_its_shape(body: Any, reason: str) -> None:
    with serving(Raw(body, 400)) as endpoint:
        with pytest.raises(EngineError) as caught:
            await (await opened(endpoint))(Request(ASKED, Sampling()))
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("body", ["", "null", "[]", "{}", '{"error": null}', '{"detail": []}', '"', "[[[", b"\xff\xfe"])
async def test_a_refusal_without_a_reason_is_a_refusal(body: Any) -> None:
    with serving(Raw(body, 400)) as endpoint:
        with pytest.raises(EngineError, match="m: the endpoint refused the request"):
            await (await opened(endpoint))(Request(ASKED, Sampling()))


async def test_a_parameter_that_is_refused_is_named_with_the_setting_that_leaves_it_out() -> None:
    message = "Unsupported parameter: 'stop' is not supported with this model."
    with serving(Raw(error(message, param="stop", code="unsupported_parameter"), 400)) as endpoint:
        with pytest.raises(EngineError, match=r"is not supported with this model\. \(drop_params=\[stop\] leaves"):
            await (await opened(endpoint))(Request(ASKED, Sampling(stop=("x",))))
