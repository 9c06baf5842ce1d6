"""An endpoint as an engine: what it refuses is asked otherwise, what fails is tried again, what is busy is outlasted.

With `dialect=vllm` the request asks for what only such a server knows: token ids, the stop text kept, and a turn that
continues a prefix. Other endpoints cut the stop text off the completion, count tokens for the whole answer only, and
decide themselves what to do with a prefix.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

from agentdistill.config import EngineConfig
from agentdistill.engines.openai.access import read_access
from agentdistill.engines.openai.answer import MalformedError, is_null, read_completions
from agentdistill.engines.openai.body import Variant, make_body
from agentdistill.engines.openai.exchange import Exchange, NoAnswerError, OverloadedError, RefusedError
from agentdistill.engines.openai.overflow import is_overflow, room_for_output
from agentdistill.engines.openai.pace import LONGEST_PAUSE_S, OutOfPatienceError, Patience, backoff_s, pace_of
from agentdistill.engines.openai.refusal import shorten, unsupported_parameter, wants_one, wants_other_limit
from agentdistill.errors import EngineError, PromptTooLongError
from agentdistill.types import Completion, EngineLoad, FinishReason, Request


class OpenAIEngine:
    """At most `max_in_flight` requests at once; further ones wait here."""

    def __init__(self, config: EngineConfig) -> None:
        """Raises ConfigError where the key is missing or may not go where the config sends it."""
        self.model, self.revision, self.dead = config.model, config.revision or "", False
        self._config = config
        self._access = read_access(config)
        self._exchange = Exchange(self._access, config.stall_s)
        self._pace = pace_of(self._access.base_url)
        self._slots = asyncio.Semaphore(config.max_in_flight)
        # What the endpoint has been found to want, for all requests that follow.
        self._limit_name = "max_tokens"
        self._one_by_one = "n" in config.drop_params

    async def __call__(self, request: Request) -> list[Completion]:
        """Raises PromptTooLongError, and EngineError once retries or patience are used up."""
        n = request.sampling.n
        found: list[Completion] = []
        if n == 1 or not self._one_by_one:
            found = await self._ask(request, n, 0)
        if len(found) < n:
            # Some endpoints answer once however often they are asked.
            self._one_by_one = True
            found += await _all([self._ask_one(request, index) for index in range(len(found), n)])
        return found

    async def _ask_one(self, request: Request, index: int) -> Completion:
        (completion,) = await self._ask(request, 1, index)
        return completion

    async def _ask(self, request: Request, n: int, offset: int) -> list[Completion]:
        """At least one completion and at most n; none where the endpoint takes no n above 1."""
        variant = Variant(n, request.sampling.max_tokens, self._limit_name, offset)
        while True:
            body = make_body(self._config, request, variant)
            try:
                async with self._slots:
                    return await self._send(body, request, n)
            except RefusedError as refusal:
                refused = refusal
            changed = self._changed(variant, refused)
            if changed is None:
                return []
            variant = changed

    def _changed(self, variant: Variant, refused: RefusedError) -> Variant | None:
        """The request as the refusal wants it; None where it wants one completion a request.

        Raises PromptTooLongError where nothing that may be changed helps, else EngineError.
        """
        reason = refused.reason
        if variant.limit_name == "max_tokens" and wants_other_limit(reason):
            self._limit_name = "max_completion_tokens"
            return replace(variant, limit_name=self._limit_name)
        room = room_for_output(reason, variant.max_tokens)
        if room:
            return replace(variant, max_tokens=room)
        if room == 0 or is_overflow(reason, refused.status):
            raise PromptTooLongError(f"{self.model}: {reason.message}")
        if variant.n > 1 and wants_one(reason):
            return None
        raise EngineError(f"{self.model}: the endpoint refused the request: {self._explained(variant, refused)}")

    def _explained(self, variant: Variant, refused: RefusedError) -> str:
        text = refused.reason.message
        sent = {"temperature", "top_p", "stop", "seed", "logprobs", "repetition_penalty", "top_k", "min_p", "n",
                "include_stop_str_in_output", "return_token_ids", variant.limit_name}  # fmt: skip
        name = unsupported_parameter(refused.reason, sent)
        return f"{text} (drop_params=[{name}] leaves that parameter out)" if name else text

    async def _send(self, body: dict[str, Any], request: Request, n: int) -> list[Completion]:
        """Send one body until it is answered. Raises RefusedError, EngineError."""
        patience = Patience(max(self._config.patience_s, LONGEST_PAUSE_S))
        failures, was_null, busy = 0, False, ""
        while True:
            try:
                await self._pace.turn(patience)
                answer = await self._exchange.post(body)
                completions = read_completions(answer, n, request.sampling.stop)
            except OutOfPatienceError:
                raise EngineError(self._out_of_patience(busy)) from None
            except OverloadedError as error:
                failures, busy = failures + 1, str(error)
                self._check_patience(patience, error, failures)
                continue
            except (NoAnswerError, MalformedError) as error:
                failures += 1
                if failures > self._config.retries:
                    raise EngineError(self._failed(error, failures)) from None
                pause_s = getattr(error, "retry_after_s", None)
                await asyncio.sleep(backoff_s(failures) if pause_s is None else min(pause_s, LONGEST_PAUSE_S))
                continue
            self._pace.ease()
            aborted = any(completion.finish_reason is FinishReason.ABORT for completion in completions)
            if aborted and failures < self._config.retries:
                failures += 1
                await asyncio.sleep(backoff_s(failures))
            elif not was_null and is_null(answer):
                was_null = True  # a second time it is what the model wrote
            else:
                return completions

    def _check_patience(self, patience: Patience, error: OverloadedError, failures: int) -> None:
        """Hold all requests; raises EngineError where this one may not wait for so long."""
        now = self._pace.now()
        until = self._pace.hold(error.retry_after_s)
        limit = Patience(self._config.patience_s, patience.since)
        lasts = limit.lasts(now, until)
        patience.since = limit.since
        if not lasts and (failures > self._config.retries or until - now > 1.25 * LONGEST_PAUSE_S):
            raise EngineError(self._out_of_patience(str(error)))

    def _out_of_patience(self, said: str) -> str:
        text = f"{self.model}: the endpoint is busy beyond patience_s={self._config.patience_s:g}"
        return f"{text}: {said}" if said else text

    def _failed(self, error: Exception, tries: int) -> str:
        times = f", {tries} times tried" if tries > 1 else ""
        return f"{self.model}: {shorten(self._access.redact(str(error)))}{times}"

    def load(self) -> EngineLoad:
        return EngineLoad()

    async def close(self) -> None:
        await self._exchange.close()


async def _all(asked: list[Coroutine[Any, Any, Completion]]) -> list[Completion]:
    """The results in their order; where one fails, the others are not waited for."""
    tasks = [asyncio.ensure_future(each) for each in asked]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()


async def open_engine(config: EngineConfig) -> OpenAIEngine:
    """The engine of the endpoint that the config names; nothing is asked of it yet. Raises ConfigError."""
    return OpenAIEngine(config)
