"""Who writes: an engine, as the agent sees it."""

from __future__ import annotations

from typing import Protocol

from agentdistill.types.messages import Completion, Request


class Generate(Protocol):
    """An engine, as the agent sees it."""

    async def __call__(self, request: Request) -> list[Completion]:
        """Return `request.sampling.n` completions. Raises EngineError, PromptTooLongError."""
        ...
