"""Conversations as text, and what an engine is asked and answers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """Who speaks in a message."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation, as text; chat templates are applied elsewhere."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to sample completions."""

    n: int = 1
    temperature: float = 0.0
    top_p: float = 1.0
    max_tokens: int = 1024
    stop: tuple[str, ...] = ()  # generation ends at any of these; the stop text itself is kept in the completion
    seed: int | None = None
    logprobs: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """One call of an engine."""

    messages: tuple[Message, ...]
    sampling: Sampling
    prefix: str = ""  # every completion continues this text of the assistant's turn; not repeated in the completion


class FinishReason(StrEnum):
    """Why the engine stopped writing."""

    STOP = "stop"  # the end-of-turn token or a stop text
    LENGTH = "length"  # max_tokens, or the end of the context
    ABORT = "abort"  # the server gave the request up: the text is a beginning that nobody chose to end
    CONTENT_FILTER = "content_filter"  # the endpoint's filter cut or emptied the text; asking again gives the same


@dataclass(frozen=True, slots=True)
class Completion:
    """One of the n answers to a request."""

    text: str
    finish_reason: FinishReason
    token_ids: tuple[int, ...] = ()  # [num_completion_tokens], as sampled; empty where the engine does not tell
    prompt_token_ids: tuple[int, ...] = ()  # [num_prompt_tokens], prefix included
    num_prompt_tokens: int = 0
    num_completion_tokens: int = 0
    logprobs: tuple[float, ...] = ()  # [num_completion_tokens] where asked for
