"""Who writes: an engine, as the agent and as what runs it see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from agentdistill.types.messages import Completion, Request


class Generate(Protocol):
    """An engine, as the agent sees it."""

    async def __call__(self, request: Request) -> list[Completion]:
        """Return `request.sampling.n` completions. Raises EngineError, PromptTooLongError."""
        ...


@dataclass(frozen=True, slots=True)
class EngineLoad:
    """How busy an engine is, for admission of further episodes."""

    kv_cache_usage: float = 0.0  # share of the KV cache in use, in [0, 1]
    num_waiting: int = 0  # requests that the engine holds back for want of room


class Engine(Generate, Protocol):
    """A `Generate` with a life of its own."""

    model: str  # as trajectories record it
    revision: str

    def load(self) -> EngineLoad: ...

    @property
    def dead(self) -> bool:
        """True once the engine cannot answer any more; its process should be replaced."""
        ...

    async def close(self) -> None: ...


class ScoringEngine(Engine, Protocol):
    """An engine that also tells how likely it finds a text that somebody else wrote."""

    async def score(self, token_ids: Sequence[int]) -> Sequence[float]:
        """Return [num_tokens - 1] log-probabilities, of each token but the first. Raises as `Generate`."""
        ...
