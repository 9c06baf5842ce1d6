"""An expert: a function that writes in place of a model, for `engine: scripted`."""

import re
from collections.abc import Sequence

from agentdistill.types import Message

_GUESS = re.compile(r"^guess: (\d+)$", re.MULTILINE)


def bisect(messages: Sequence[Message], seed: int) -> str:
    """Guesses the middle of what is still possible, in the form of the protocol `one_line`."""
    low, high, guess = 0, 99, 0
    for message in messages:
        if found := _GUESS.search(message.content):
            guess = int(found[1])
        elif message.content == "Too high.":
            high = guess - 1
        elif message.content == "Too low.":
            low = guess + 1
    return f"It lies between {low} and {high}.\nguess: {(low + high) // 2}"
