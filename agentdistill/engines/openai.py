"""Any OpenAI-compatible HTTP endpoint (vLLM's server, a hosted model) as an engine.

Retries with exponential backoff are the `openai` client's own. With `dialect=vllm` the request asks for what only such
a server knows: token ids, the stop text kept, and a turn that continues a prefix. Other endpoints cut the stop text off
the completion, count tokens for the whole answer only, and decide themselves what to do with a prefix.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

from agentdistill.config import EngineConfig
from agentdistill.errors import EngineError, PromptTooLongError
from agentdistill.types import Completion, EngineLoad, FinishReason, Request

_LONGEST_PAUSE_S = 120.0  # between two tries, where the endpoint asks for it; the client itself takes at most 8
_REFUSED = (400, 413, 422)
#: How vLLM, OpenAI, llama.cpp and others say that the prompt does not fit.
_TOO_LONG = (
    "maximum context",
    "maximum model length",
    "context length",
    "context_length",
    "context size",
    "context window",
    "max_model_len",
    "too long",
)


class OpenAIEngine:
    """At most `max_in_flight` requests at once; further ones wait here."""

    def __init__(self, config: EngineConfig) -> None:
        import openai

        self.model, self.revision, self.dead = config.model, config.revision or "", False
        self._errors = openai
        self._is_vllm = config.dialect == "vllm"
        self._slots = asyncio.Semaphore(config.max_in_flight)
        self._stall_s, self._tries = config.stall_s, config.retries + 1
        # The client's own timeout starts again with every byte: one that trickles would hold its place for ever.
        self._deadline_s = self._tries * config.stall_s + config.retries * _LONGEST_PAUSE_S
        self._client = openai.AsyncOpenAI(
            base_url=config.base_url,
            # A local server asks for no key, but the client refuses an empty one.
            api_key=os.environ.get(config.api_key_env) or "none",
            max_retries=config.retries,
            timeout=config.stall_s,
        )

    async def __call__(self, request: Request) -> list[Completion]:
        """Raises PromptTooLongError, and EngineError once the retries are used up."""
        async with self._slots:
            try:
                async with asyncio.timeout(self._deadline_s):
                    response = await self._client.chat.completions.create(**self._arguments(request))
            except (self._errors.APITimeoutError, TimeoutError) as error:
                raise EngineError(
                    f"{self.model}: the endpoint gave no answer within {self._stall_s:g} s, {self._tries} times tried"
                ) from error
            except self._errors.APIStatusError as error:
                if error.status_code in _REFUSED and _is_too_long(f"{error} {error.code} {error.body}"):
                    raise PromptTooLongError(f"{self.model}: {error.message}") from error
                if error.status_code in _REFUSED:
                    raise EngineError(f"{self.model}: the endpoint refused the request: {error.message}") from error
                raise EngineError(f"{self.model}: {type(error).__name__}: {error}") from error
            except self._errors.OpenAIError as error:
                raise EngineError(f"{self.model}: {type(error).__name__}: {error}") from error
            except ValueError as error:
                raise EngineError(f"{self.model}: the endpoint's answer is not JSON: {error}") from error
        return self._completions(response, request.sampling.n)

    def _arguments(self, request: Request) -> dict[str, Any]:
        sampling = request.sampling
        messages = [{"role": str(message.role), "content": message.content} for message in request.messages]
        extra: dict[str, Any] = {}
        if request.prefix:
            messages.append({"role": "assistant", "content": request.prefix})
        if self._is_vllm:
            extra = {"include_stop_str_in_output": True, "return_token_ids": True}
            if request.prefix:
                extra |= {"continue_final_message": True, "add_generation_prompt": False}
        optional = {
            "stop": list(sampling.stop) or None,
            "seed": sampling.seed,
            "logprobs": sampling.logprobs or None,
            "extra_body": extra or None,
        }
        return {
            "model": self.model,
            "messages": messages,
            "n": sampling.n,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_tokens": sampling.max_tokens,
            # Left out rather than null: not every endpoint takes a null.
            **{name: value for name, value in optional.items() if value is not None},
        }

    def _completions(self, response: Any, n: int) -> list[Completion]:
        choices = getattr(response, "choices", None)
        if not isinstance(choices, list) or len(choices) != n:
            found = (
                f"{len(choices)} choices" if isinstance(choices, list) else f"no choices but {str(response)[:200]!r}"
            )
            raise EngineError(f"{self.model}: the endpoint sent {found}, expected {n}")
        try:
            counts = _shares(response.usage.completion_tokens, n) if response.usage else [0] * n
            return [self._completion(response, choice, count) for choice, count in zip(choices, counts, strict=True)]
        except (AttributeError, TypeError, ValueError) as error:
            raise EngineError(f"{self.model}: the endpoint's answer is not a chat completion: {error}") from error

    def _completion(self, response: Any, choice: Any, counted: int) -> Completion:
        token_ids = tuple(getattr(choice, "token_ids", None) or ())
        logprobs = getattr(choice.logprobs, "content", None) if choice.logprobs else None
        text = choice.message.content
        if text is not None and not isinstance(text, str):
            raise TypeError(f"the content is a {type(text).__name__}, expected text")
        return Completion(
            text=text or "",
            finish_reason=FinishReason.LENGTH if choice.finish_reason == "length" else FinishReason.STOP,
            token_ids=token_ids,
            prompt_token_ids=tuple(getattr(response, "prompt_token_ids", None) or ()),
            num_prompt_tokens=response.usage.prompt_tokens if response.usage else 0,
            num_completion_tokens=len(token_ids) or counted,
            logprobs=tuple(item.logprob for item in logprobs or ()),
        )

    def load(self) -> EngineLoad:
        return EngineLoad()

    async def close(self) -> None:
        await self._client.close()


async def open_engine(config: EngineConfig) -> OpenAIEngine:
    """The engine of the endpoint that the config names; nothing is asked of it yet."""
    return OpenAIEngine(config)


def _shares(total: int, n: int) -> list[int]:
    """`total` tokens over n completions, where the endpoint counts them together; the shares add up."""
    return [total // n + (index < total % n) for index in range(n)]


def _is_too_long(message: str) -> bool:
    lowered = message.lower()
    return any(words in lowered for words in _TOO_LONG)
