"""Whether a refusal says that the prompt does not fit, or only that prompt and `max_tokens` together do not.

The wordings are those of OpenAI, Azure, DeepSeek, OpenRouter, vLLM, SGLang, TGI, llama.cpp, LM Studio, Ollama,
Anthropic, Bedrock, Gemini, Cohere, Mistral, DashScope, Groq, Fireworks and xAI; the tests hold one of each.
"""

from __future__ import annotations

import re

from agentdistill.engines.openai.refusal import Reason

_LIMIT = r"maximum context length (?:is|of) (?P<limit>\d+) tokens.{0,120}?"
_OF_WHICH = r"\(.{0,80}?(?P<completion>\d+) (?:in|for) the (?:completion|output)"
#: The context (`limit`) and what the prompt takes of it: `prompt`, or `total` less `completion`, all in tokens.
_ROOMS = [
    re.compile(words, re.S)
    for words in (
        rf"{_LIMIT}requested (?:about )?(?P<total>\d+) tokens ?{_OF_WHICH}",
        rf"{_LIMIT}(?:request has|prompt contains) (?P<least>at least )?(?P<prompt>\d+) (?:input|prompt) tokens",
        rf"{_LIMIT}(?P<prompt>\d+) tokens from the input messages",
        r"max_new_tokens\W+must be <= (?P<limit>\d+)\. given: (?P<prompt>\d+) ",
        r"context limit: (?P<prompt>\d+) \+ (?P<completion>\d+) > (?P<limit>\d+)",
        r"\(prompt and prediction\) cannot exceed (?P<limit>\d+) - received (?P<total>\d+)",
        r"request \((?P<prompt>\d+) tokens\) exceeds the available context size \((?P<limit>\d+) tokens\)",
        r"prompt contains (?P<prompt>\d+) tokens.{0,80}?model with (?P<limit>\d+) maximum context length",
    )
]

#: The most that the model writes, where `max_tokens` alone is more than that. The last is exclusive.
_MOST_OUTPUT = [
    re.compile(words, re.S)
    for words in (
        r"max_tokens is too large.{0,60}?supports at most (?P<most>\d+) completion tokens",
        r"max_(?:completion_)?tokens\W+must be less than or equal to \W?(?P<most>\d+)",
        r"max tokens must be less than or equal to (?P<most>\d+)",
        r"max_tokens: \d+ > (?P<most>\d+), which is the maximum allowed number of output tokens",
        r"range of max_(?:completion_)?tokens (?:should be|is) \[\d+, ?(?P<most>\d+)\]",
        r"maxoutputtokens value of \d+ but the supported range is from \d+ \(inclusive\) to (?P<beyond>\d+)",
    )
]

_CODES = re.compile(r"context_length_exceeded|context_window_exceeded|exceed_context_size|context_length_error")
_CONTEXT = re.compile(
    r"context[ _](?:length|size|window|limit)|max_model_len|max(?:imum)? (?:context|model|prompt|input) length"
    r"|when context the overflows|range of input length should be"
)
_EXCESS = re.compile(r"exceed|longer|too (?:long|large|many|big)|larger|greater|maximum|reduce|overflow|should be|only")
#: Something long that is no conversation.
_OTHER = r"stop|tools?|functions?|schema|user|metadata|logit_bias|name|key|url|image|file|seed"
_PROMPT_TOO_LONG = re.compile(
    rf"\b(?:prompt|inputs?|messages|conversation)\b(?:(?!\b(?:{_OTHER})\b).){{0,60}}?"
    r"(?:too (?:long|large|many|big)|longer than|exceeds?\b|exceeded|must have less than)"
    r"|too many (?:input |prompt )?tokens"
)
_RATE = re.compile(r"tokens per (?:minute|day|second|hour)|\btpm\b|rate.?limit|quota")


def room_for_output(reason: Reason, asked: int) -> int | None:
    """How many tokens, fewer than `asked`, would be taken; 0 where none; None where that is not what it says."""
    words = reason.words
    for pattern in _ROOMS:
        if (match := pattern.search(words)) is not None:
            return _room(match.groupdict(), asked)
    for pattern in _MOST_OUTPUT:
        if (match := pattern.search(words)) is not None:
            found = match.groupdict()
            most = int(found["most"]) if found.get("most") else int(found["beyond"]) - 1
            return most if 0 < most < asked else None
    return None


def is_overflow(reason: Reason, status: int) -> bool:
    """Whether the refusal says that the conversation is longer than the model, or the endpoint, can read."""
    words = reason.words.replace("input validation error", "")
    if _RATE.search(words):
        return False
    if _CODES.search(words):
        return True
    if reason.param and re.fullmatch(_OTHER, reason.param):
        return False
    if _CONTEXT.search(words) and _EXCESS.search(words):
        return True
    return _PROMPT_TOO_LONG.search(words) is not None or (status == 413 and not re.search(rf"\b(?:{_OTHER})\b", words))


def _room(found: dict[str, str | None], asked: int) -> int:
    figures = {name: int(value) for name, value in found.items() if value and value.isdigit()}
    if found.get("least"):
        # It has counted the prompt only as far as it needed to refuse it.
        return asked // 2
    prompt = figures.get("prompt")
    if prompt is None:
        prompt = figures["total"] - figures.get("completion", asked)
    room = figures["limit"] - prompt
    return room if 0 < room < asked else 0
