"""Answers that are odd, torn or few are understood or asked for again at the request; none looks like another."""

import asyncio
from typing import Any

import pytest
from chat_endpoint import ChatEndpoint, Raw, chat_endpoint, completion, raw_endpoint

from agentdistill.config import EngineConfig
from agentdistill.engines import Engine, open_engine
from agentdistill.errors import EngineError
from agentdistill.types import FinishReason, Message, Request, Role, Sampling

ASKED = (Message(Role.USER, "What is 1 + 1?"),)
ONCE = Request(ASKED, Sampling())
STOP = ("<end_code>", "\nObservation:", "\n```output")


async def opened(endpoint: ChatEndpoint, **settings: Any) -> Engine:
    given = {"model": "m", "base_url": endpoint.url, "retries": 1, "patience_s": 0.0, "stall_s": 20.0, **settings}
    return await open_engine(EngineConfig(engine="openai", **given))


async def ask(*answers: Raw, request: Request = ONCE, **settings: Any) -> tuple[list[Any], list[dict[str, Any]]]:
    with raw_endpoint(answers) as endpoint:
        engine = await opened(endpoint, **settings)
        found = await engine(request)
        await engine.close()
    return found, endpoint.requests


async def test_an_endpoint_that_answers_once_is_asked_as_often_as_needed() -> None:
    request = Request(ASKED, Sampling(n=8, seed=3))
    with raw_endpoint([Raw(completion(["two"]))]) as endpoint:
        engine = await opened(endpoint)
        assert len(await engine(request)) == 8
        assert [asked["n"] for asked in endpoint.requests] == [8] + [1] * 7
        # One seed for all would give one text for all.
        assert sorted(asked["seed"] for asked in endpoint.requests) == list(range(3, 11))
        assert len(await engine(request)) == 8
        assert [asked["n"] for asked in endpoint.requests[8:]] == [1] * 8


async def test_an_endpoint_that_gives_half_is_asked_for_the_rest() -> None:
    found, requests = await ask(
        Raw(completion(["a", "b"])), Raw(completion(["c"])), request=Request(ASKED, Sampling(n=4))
    )
    assert [item.text for item in found] == ["a", "b", "c", "c"]
    assert [asked["n"] for asked in requests] == [4, 1, 1]


@pytest.mark.parametrize(
    "says",
    [
        {"error": {"message": "Invalid value: 'n' must be 1", "param": "n"}},
        {"error": {"message": "Only one completion choices is allowed", "param": None}},
        {"detail": [{"loc": ["body", "n"], "msg": "Input should be less than or equal to 1"}]},
        {"error": "n > 1 is not supported"},
        {"error": {"message": "multiple candidates is not enabled for this model"}},
    ],
)
async def test_an_endpoint_that_refuses_n_is_asked_one_by_one(says: Any) -> None:
    found, requests = await ask(Raw(says, 400), Raw(completion(["two"])), request=Request(ASKED, Sampling(n=3)))
    assert (len(found), [asked["n"] for asked in requests]) == (3, [3, 1, 1, 1])


async def test_a_failure_among_them_ends_them_all() -> None:
    answers = [Raw(completion(["a"])), Raw({"error": "no"}, 400)]
    with pytest.raises(EngineError, match="refused the request: no"):
        await asyncio.wait_for(ask(*answers, request=Request(ASKED, Sampling(n=8))), 20)


async def test_max_completion_tokens_is_sent_where_max_tokens_is_refused() -> None:
    message = (
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
    )
    refused = Raw({"error": {"message": message, "param": "max_tokens", "code": "unsupported_parameter"}}, 400)
    with raw_endpoint([refused, Raw(completion(["two"]))]) as endpoint:
        engine = await opened(endpoint)
        await engine(ONCE)
        await engine(ONCE)
    names = [{"max_tokens", "max_completion_tokens"} & set(asked) for asked in endpoint.requests]
    assert names == [{"max_tokens"}, {"max_completion_tokens"}, {"max_completion_tokens"}]


@pytest.mark.parametrize(
    "usage",
    [
        None, {}, {"prompt_tokens": None, "completion_tokens": None, "total_tokens": None}, {"completion_tokens": 0},
        {"prompt_tokens": None, "completion_tokens": 0, "completion_tokens_details": None},
    ],
)  # fmt: skip
async def test_counts_that_are_null_are_none(usage: Any) -> None:
    (found,), _ = await ask(Raw({**completion(["two"]), "usage": usage}))
    assert (found.text, found.num_prompt_tokens, found.num_completion_tokens) == ("two", 0, 0)


async def test_content_that_is_null_is_asked_for_once_more() -> None:
    (found,), requests = await ask(Raw(completion([None])), Raw(completion(["two"])), retries=0)
    assert (found.text, len(requests)) == ("two", 2)
    (found,), requests = await ask(Raw(completion([None])), retries=0)
    assert (found.text, len(requests)) == ("", 2)


@pytest.mark.parametrize(
    ("message", "reason", "text"),
    [
        ({"content": None}, "length", ""),
        ({"content": None, "reasoning_content": "I think"}, "stop", ""),
        ({"content": None, "tool_calls": [{"id": "1"}]}, "tool_calls", ""),
        ({"content": None, "refusal": "I cannot"}, "stop", "I cannot"),
        ({"content": ""}, "stop", ""),
        ({"content": [{"type": "thinking", "thinking": []}, {"type": "text", "text": "two"}]}, "stop", "two"),
    ],
)
async def test_a_turn_without_text_that_has_its_reason_is_taken(message: Any, reason: str, text: str) -> None:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": reason}
    (found,), requests = await ask(Raw({**completion([]), "choices": [choice]}))
    assert (found.text, len(requests)) == (text, 1)


@pytest.mark.parametrize("dialect", ["vllm", "openai"])
@pytest.mark.parametrize("empty", ["", " \n"])
async def test_an_empty_turn_is_not_sent_back(dialect: str, empty: str) -> None:
    said = [("system", "s"), ("user", "q"), ("assistant", empty), ("user", "Error: write code"), ("assistant", "a"),
            ("user", "o"), ("assistant", empty), ("assistant", empty), ("user", "e")]  # fmt: skip
    request = Request(tuple(Message(Role(role), content) for role, content in said), Sampling())
    _, (asked,) = await ask(Raw(completion(["two"])), request=request, dialect=dialect)
    assert [(message["role"], message["content"]) for message in asked["messages"]] == [
        ("system", "s"), ("user", "q\n\nError: write code"), ("assistant", "a"), ("user", "o\n\ne"),
    ]  # fmt: skip


async def test_a_lone_surrogate_is_sent_as_a_question_mark() -> None:
    request = Request((Message(Role.USER, "a\ud800b é"),), Sampling())
    _, (asked,) = await ask(Raw(completion(["two"])), request=request)
    assert asked["messages"][0]["content"] == "a?b é"


@pytest.mark.parametrize(
    "torn",
    [
        Raw('{"choices": [{"mess'), Raw(""), Raw("<html>Bad gateway</html>", 200, {"Content-Type": "text/html"}),
        Raw("null"), Raw({"choices": []}), Raw({"choices": [{"message": None}]}), Raw(b"\xff\xfe"),
        Raw('{"choices": [', cut=True), Raw("", cut=True), Raw("x", 500), Raw("x", 502), Raw("x", 504), Raw("x", 408),
        Raw({"error": {"message": "overloaded", "code": 502}}),
        Raw({"error": {"message": "internal", "code": 500}}, 500),
    ],
)  # fmt: skip
async def test_a_torn_answer_is_tried_again_at_the_request(torn: Raw) -> None:
    (found,), requests = await ask(torn, Raw(completion(["two"])))
    assert (found.text, len(requests)) == ("two", 2)
    with pytest.raises(EngineError, match=r"^m: "):
        await ask(torn, retries=0)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("stop", FinishReason.STOP), ("STOP", FinishReason.STOP), ("eos_token", FinishReason.STOP),
        ("end_turn", FinishReason.STOP), ("tool_calls", FinishReason.STOP), (None, FinishReason.STOP),
        ("length", FinishReason.LENGTH), ("MAX_TOKENS", FinishReason.LENGTH), ("model_length", FinishReason.LENGTH),
        ("abort", FinishReason.ABORT), ("ERROR", FinishReason.ABORT),
        ("insufficient_system_resource", FinishReason.ABORT),
        ("content_filter", FinishReason.CONTENT_FILTER), ("SAFETY", FinishReason.CONTENT_FILTER),
        ("RECITATION", FinishReason.CONTENT_FILTER), ("refusal", FinishReason.CONTENT_FILTER),
    ],
)  # fmt: skip
async def test_each_way_to_end_is_told_apart(given: str | None, reason: FinishReason) -> None:
    (found,), requests = await ask(Raw(completion(["two"], finish_reason=given)), retries=0)
    assert (found.finish_reason, len(requests)) == (reason, 1)


async def test_what_the_server_gave_up_is_tried_again_before_it_is_returned() -> None:
    aborted = Raw(completion(["tw"], finish_reason="abort"))
    (found,), requests = await ask(aborted, Raw(completion(["two"])))
    assert (found.text, found.finish_reason, len(requests)) == ("two", FinishReason.STOP, 2)
    (found,), requests = await ask(aborted)
    assert (found.text, found.finish_reason, len(requests)) == ("tw", FinishReason.ABORT, 2)


OPEN = "Thought: I.\nCode:\n```py\nprint(1)\n"
CLOSED = OPEN + "```"


@pytest.mark.parametrize(
    ("text", "choice", "whole"),
    [
        # The endpoint tells which it was.
        (CLOSED, {"stop_reason": "<end_code>"}, CLOSED + "<end_code>"),
        (CLOSED, {"matched_stop": "<end_code>"}, CLOSED + "<end_code>"),
        (CLOSED, {"stop_sequence": "\nObservation:"}, CLOSED + "\nObservation:"),
        ("I", {"stop_reason": "\n```output"}, "I\n```output"),
        (CLOSED + "<end_code>", {"stop_reason": "<end_code>"}, CLOSED + "<end_code>"),
        # It tells that it was none, or something that was not asked for.
        (OPEN, {"stop_reason": None}, OPEN),
        (OPEN, {"matched_stop": 151645}, OPEN),
        (CLOSED, {"stop_sequence": "</s>"}, CLOSED),
        # It tells nothing: only an open block cannot end by itself.
        (OPEN, {}, OPEN + "<end_code>"),
        (OPEN.rstrip(), {}, OPEN.rstrip() + "<end_code>"),
        (OPEN + "<end_code>", {}, OPEN + "<end_code>"),
        (OPEN, {"finish_reason": "stop_sequence"}, OPEN + "<end_code>"),
        (CLOSED, {}, CLOSED),
        (CLOSED + "\n", {}, CLOSED + "\n"),
        ("It is 2.", {}, "It is 2."),
        ("```py", {}, "```py"),
        ("```py\n", {}, "```py\n"),
        ("", {}, ""),
        # It did not end at a stop text.
        (OPEN, {"finish_reason": "length"}, OPEN),
        (OPEN, {"finish_reason": "content_filter"}, OPEN),
        (OPEN, {"finish_reason": None}, OPEN),
        (OPEN, {"finish_reason": "eos_token"}, OPEN),
    ],
)
async def test_a_stop_text_is_put_back_where_it_is_known(text: str, choice: dict[str, Any], whole: str) -> None:
    request = Request(ASKED, Sampling(stop=STOP))
    (found,), _ = await ask(Raw(completion([text], **choice)), request=request, dialect="openai", retries=0)
    assert found.text == whole


@pytest.mark.parametrize("stop", [(), ("\nObservation:",), ("<end_code>", "</code>")])
async def test_where_several_stop_texts_could_have_ended_it_none_is_put_back(stop: tuple[str, ...]) -> None:
    request = Request(ASKED, Sampling(stop=stop))
    (found,), _ = await ask(Raw(completion([OPEN])), request=request, dialect="openai")
    assert found.text == OPEN


async def test_further_parameters_are_sent_and_refused_ones_left_out() -> None:
    _, (asked,) = await ask(
        Raw(completion(["two"])),
        request=Request(ASKED, Sampling(seed=1, stop=("x",))),
        extra_body={"reasoning": {"effort": "low"}, "top_k": 20},
        drop_params=["temperature", "seed", "max_tokens", "unknown"],
    )
    assert (asked["reasoning"], asked["top_k"], asked["stop"]) == ({"effort": "low"}, 20, ["x"])
    assert not {"temperature", "seed", "max_tokens", "max_completion_tokens"} & set(asked)


async def test_without_n_every_completion_is_asked_for_by_itself() -> None:
    with chat_endpoint(lambda messages, seed: f"text {seed}") as endpoint:
        found = await (await opened(endpoint, drop_params=["n"]))(Request(ASKED, Sampling(n=3, seed=5)))
    assert [item.text for item in found] == ["text 5", "text 6", "text 7"]
    assert not [asked for asked in endpoint.requests if "n" in asked]
