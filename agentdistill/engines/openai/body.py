"""A request in the endpoint's words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from agentdistill.config import EngineConfig
from agentdistill.types import Message, Request, Role

#: vLLM's server fills what is not sent from the model's generation config; these change nothing.
_NEUTRAL = {"repetition_penalty": 1.0, "top_k": -1, "min_p": 0.0}
_LIMITS = frozenset({"max_tokens", "max_completion_tokens"})


@dataclass(frozen=True, slots=True)
class Variant:
    """What of a request depends on what the endpoint has refused before."""

    n: int
    max_tokens: int
    limit_name: str = "max_tokens"
    seed_offset: int = 0  # completions that are asked for one by one must not all be the same


def make_body(config: EngineConfig, request: Request, variant: Variant) -> dict[str, Any]:
    """The JSON of one request to `/chat/completions`."""
    sampling = request.sampling
    messages = _messages(request.messages)
    body: dict[str, Any] = {
        "model": config.model,
        "messages": messages,
        "n": variant.n,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        variant.limit_name: variant.max_tokens,
    }
    # Left out rather than null: not every endpoint takes a null.
    if sampling.stop:
        body["stop"] = list(sampling.stop)
    if sampling.seed is not None:
        body["seed"] = sampling.seed + variant.seed_offset
    if sampling.logprobs:
        body["logprobs"] = True
    if request.prefix:
        messages.append({"role": "assistant", "content": _clean(request.prefix)})
    if config.dialect == "vllm":
        body |= _NEUTRAL | {"include_stop_str_in_output": True, "return_token_ids": True}
        if request.prefix:
            body |= {"continue_final_message": True, "add_generation_prompt": False}
    dropped = set(config.drop_params)
    if dropped & _LIMITS:
        dropped |= _LIMITS
    return {name: value for name, value in body.items() if name not in dropped} | config.extra_body


def _messages(messages: Iterable[Message]) -> list[dict[str, str]]:
    """The conversation without empty turns of the assistant, which endpoints refuse.

    What the user said before and after one becomes one message: endpoints refuse two in a row as well.
    """
    kept: list[dict[str, str]] = []
    after_empty = False
    for message in messages:
        content = _clean(message.content)
        if message.role is Role.ASSISTANT and not content.strip():
            after_empty = True
            continue
        if after_empty and kept and kept[-1]["role"] == message.role:
            kept[-1]["content"] += f"\n\n{content}"
        else:
            kept.append({"role": str(message.role), "content": content})
        after_empty = False
    return kept


def _clean(text: str) -> str:
    """The text without lone surrogates, which no HTTP body can hold."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
