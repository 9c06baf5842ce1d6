"""An engine: who writes. This one bisects; a real one would call a model."""

import re

from agentdistill.config import EngineConfig
from agentdistill.types import Completion, FinishReason, Request


class Bisecting:
    """Guesses the middle of what is still possible, in the form of the protocol `one_line`."""

    model, revision, dead = "bisecting", "1", False

    async def __call__(self, request: Request) -> list[Completion]:
        low, high, guess = 0, 99, 50
        for message in request.messages:
            said = message.content
            if found := re.search(r"^guess: (\d+)", said, re.MULTILINE):
                guess = int(found[1])
            elif "Too high" in said:
                high = guess - 1
            elif "Too low" in said:
                low = guess + 1
        text = f"It lies between {low} and {high}.\nguess: {(low + high) // 2}"
        return [Completion(text, FinishReason.STOP) for _ in range(request.sampling.n)]


async def open_engine(config: EngineConfig) -> Bisecting:
    """What the config's `engine: bisecting` opens."""
    return Bisecting()
