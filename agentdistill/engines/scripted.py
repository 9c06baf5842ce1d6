"""A function from messages to text behind the same protocol as a model: for tests, and for the demo's expert."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence

from agentdistill import plugins
from agentdistill.config import EngineConfig
from agentdistill.engines.base import tells
from agentdistill.errors import EngineError
from agentdistill.types import Completion, EngineLoad, FinishReason, Message, Request, Role

#: Writes the assistant's next turn, or the rest of it where the last message is the assistant's own beginning.
#: `seed` is the request's, plus the index of the completion.
Expert = Callable[[Sequence[Message], int], str | Awaitable[str]]


class ScriptedEngine:
    """Calls an expert for each completion. Counts no tokens: a function has none."""

    def __init__(self, expert: Expert, name: str = "scripted", delay_s: float = 0.0) -> None:
        self.model, self.revision, self.dead = name, "", False
        self._expert, self._delay_s = expert, delay_s

    async def __call__(self, request: Request) -> list[Completion]:
        """Raises EngineError where the expert raises."""
        if self._delay_s:
            await asyncio.sleep(self._delay_s)
        return [await self._complete(request, index) for index in range(request.sampling.n)]

    async def _complete(self, request: Request, index: int) -> Completion:
        seed = (request.sampling.seed or 0) + index
        messages = request.messages
        if request.prefix:
            messages = (*messages, Message(Role.ASSISTANT, request.prefix))
        try:
            written = self._expert(messages, seed)
            text = await written if inspect.isawaitable(written) else written
        except Exception as error:
            raise EngineError(f"the expert {self.model} raised {type(error).__name__}: {error}") from error
        if not isinstance(text, str):
            raise EngineError(f"the expert {self.model} wrote a {type(text).__name__}, expected text")
        return Completion(text, FinishReason.STOP)

    def load(self) -> EngineLoad:
        return EngineLoad()

    async def close(self) -> None:
        return None


def _name(config: EngineConfig) -> str:
    return f"scripted:{config.expert}"


@tells(engine_name=_name)
async def open_engine(config: EngineConfig) -> ScriptedEngine:
    """The engine of the expert that the config names. Raises ConfigError where there is none of that name."""
    return ScriptedEngine(plugins.load("expert", config.expert), _name(config))
