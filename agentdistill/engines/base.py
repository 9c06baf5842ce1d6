"""What every engine offers beside `Generate`: a name for the record, its load, and whether it is still alive."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from agentdistill.config import EngineConfig
from agentdistill.types import Completion, Request


def engine_name(config: EngineConfig) -> str:
    """What an engine of this config is called in records; known before it is opened."""
    if config.engine == "scripted":
        return f"scripted:{config.expert}"
    name = config.model
    if config.engine == "vllm" and config.adapter is not None:
        name += f"+{config.adapter}"
    return name if config.quantization is None else f"{name}:{config.quantization}"


@dataclass(frozen=True, slots=True)
class EngineLoad:
    """How busy an engine is, for admission of further episodes."""

    kv_cache_usage: float = 0.0  # share of the KV cache in use, in [0, 1]
    num_waiting: int = 0  # requests that the engine holds back for want of room


class Engine(Protocol):
    """A `Generate` with a life of its own."""

    model: str  # as trajectories record it
    revision: str

    async def __call__(self, request: Request) -> list[Completion]: ...

    def load(self) -> EngineLoad: ...

    @property
    def dead(self) -> bool:
        """True once the engine cannot answer any more; its process should be replaced."""
        ...

    async def close(self) -> None: ...
