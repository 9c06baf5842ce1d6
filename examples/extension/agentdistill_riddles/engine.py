"""An engine: who writes. This one asks a function; a real one asks a model."""

from agentdistill.config import EngineConfig
from agentdistill.types import Completion, EngineLoad, FinishReason, Request
from agentdistill_riddles.expert import bisect


class Bisecting:
    """Satisfies `agentdistill.types.Engine`."""

    revision, dead = "1", False

    def __init__(self, model: str) -> None:
        self.model = model  # as trajectories record it

    async def __call__(self, request: Request) -> list[Completion]:
        """As many completions as the request's sampling asks for."""
        return [Completion(bisect(request.messages, 0), FinishReason.STOP) for _ in range(request.sampling.n)]

    def load(self) -> EngineLoad:
        """How busy it is: never."""
        return EngineLoad()

    async def close(self) -> None:
        """Nothing is held."""


async def open_engine(config: EngineConfig) -> Bisecting:
    """What `engine: bisecting` opens, once in each process that runs episodes; `engine.settings` is its own."""
    return Bisecting(config.settings.get("name", "bisecting"))
