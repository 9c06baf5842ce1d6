"""From an endpoint's JSON to completions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from agentdistill.types import Completion, FinishReason

_FINISH = {
    FinishReason.LENGTH: {"length", "max_tokens", "model_length", "max_output_tokens", "token_limit"},
    FinishReason.ABORT: {
        "abort", "aborted", "cancelled", "canceled", "error", "insufficient_system_resource", "network_error",
        "server_error", "timeout",
    },
    FinishReason.CONTENT_FILTER: {
        "content_filter", "content_filtered", "safety", "recitation", "blocklist", "prohibited_content", "sensitive",
        "spii", "refusal", "guardrail_intervened",
    },
}  # fmt: skip
#: Where servers say which stop text ended the turn; null, or a token's number, where none did.
_TELLS_STOP = ("stop_reason", "matched_stop", "stop_sequence", "stopping_word")


#: A finish reason that leaves open, or says, that a stop text was met.
_AT_STOP = ("stop", "stop_sequence")


class MalformedError(ValueError):
    """The answer is no chat completion."""


def read_completions(answer: Any, n: int, stop: tuple[str, ...]) -> list[Completion]:
    """The completions in an answer: at least one and at most n. Raises MalformedError.

    Tokens that the endpoint counts for all of them together are shared out, so that the shares add up.
    """
    choices = answer.get("choices") if isinstance(answer, dict) else None
    if not isinstance(choices, list) or not 0 < len(choices) <= n:
        found = f"{len(choices)} choices" if isinstance(choices, list) else f"no choices but {str(answer)!r}"
        raise MalformedError(f"the endpoint sent {found}, expected {n}")
    try:
        usage = answer.get("usage") or {}
        counts = _shares(_count(usage.get("completion_tokens")), len(choices))
        prompt_tokens = _count(usage.get("prompt_tokens"))
        prompt_ids = tuple(answer.get("prompt_token_ids") or ())
        return [
            _completion(choice, stop, prompt_ids, prompt_tokens, count)
            for choice, count in zip(choices, counts, strict=True)
        ]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise MalformedError(f"the endpoint's answer is not a chat completion: {_said(error)}") from error


def is_null(answer: Any) -> bool:
    """Whether a choice ended by itself and holds nothing at all: no text, reasoning, refusal or tool call."""
    for choice in answer["choices"]:
        message = choice["message"]
        others = ("reasoning", "reasoning_content", "refusal", "tool_calls", "function_call")
        empty = message.get("content") is None and not any(message.get(name) for name in others)
        if empty and _finish(choice) is FinishReason.STOP:
            return True
    return False


def _completion(
    choice: Mapping[str, Any], stop: tuple[str, ...], prompt_ids: tuple[int, ...], prompt_tokens: int, counted: int
) -> Completion:
    token_ids = tuple(choice.get("token_ids") or ())
    message = choice["message"]
    text = _text(message.get("content"))
    if not text and isinstance(message.get("refusal"), str):
        text = message["refusal"]
    reason = _finish(choice)
    logprobs = (choice.get("logprobs") or {}).get("content") or ()
    return Completion(
        text=text + _cut_off(text, choice, reason, stop),
        finish_reason=reason,
        token_ids=token_ids,
        prompt_token_ids=prompt_ids,
        num_prompt_tokens=prompt_tokens,
        num_completion_tokens=len(token_ids) or counted,
        logprobs=tuple(item["logprob"] for item in logprobs),
    )


def _text(content: Any) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    if isinstance(content, list):
        # In parts, as some endpoints send it; parts of another kind (reasoning) are no text of the turn.
        return "".join(part["text"] for part in content if part.get("type") == "text")
    raise TypeError(f"the content is a {type(content).__name__}, expected text")


def _finish(choice: Mapping[str, Any]) -> FinishReason:
    given = str(choice.get("finish_reason") or "").lower()
    return next((reason for reason, names in _FINISH.items() if given in names), FinishReason.STOP)


def _cut_off(text: str, choice: Mapping[str, Any], reason: FinishReason, stop: tuple[str, ...]) -> str:
    """The stop text that ended the turn and was cut off it, as far as it is known; else nothing.

    Known is what the endpoint tells. Where it tells nothing, a turn may end by itself or at any of the stop texts, but
    hardly by itself inside an open code block; a stop text that begins a line of its own would leave a whole line
    behind, so the one that may follow code directly is it, where there is one such.
    """
    if reason is not FinishReason.STOP:
        return ""
    told = [choice[name] for name in _TELLS_STOP if name in choice]
    if told:
        named = next((value for value in told if value in stop), "")
        return "" if text.endswith(named) else named
    inline = [mark for mark in stop if not mark.startswith("\n")]
    if len(inline) == 1 and str(choice.get("finish_reason")).lower() in _AT_STOP and _in_open_block(text):
        return "" if text.endswith(inline[0]) else inline[0]
    return ""


def _in_open_block(text: str) -> bool:
    fences = list(re.finditer(r"```[ \t]*[A-Za-z0-9_+-]*[ \t]*(\n?)", text))
    return len(fences) % 2 == 1 and fences[-1].group(1) == "\n" and bool(text[fences[-1].end() :].strip())


def _count(value: Any) -> int:
    """A number of tokens; 0 where the endpoint does not tell."""
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise TypeError(f"a count of tokens is {value!r}")
    return int(value)


def _shares(total: int, n: int) -> list[int]:
    return [total // n + (index < total % n) for index in range(n)]


def _said(error: Exception) -> str:
    return f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
