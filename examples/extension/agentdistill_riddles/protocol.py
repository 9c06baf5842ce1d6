"""A protocol: how a turn is asked for, read and answered. Here the turn's action is a line `guess: N`."""

import re
from importlib.resources import files

from agentdistill.agent import Turn
from agentdistill.types import ActionError, FinishReason, Message, Outcome, Part, PartKind, Role

_GUESS = re.compile(r"^guess: *(\S+)", re.MULTILINE)


class OneLine:
    """It keeps nothing of an episode: all of them share one object."""

    name = "one_line"
    stop = ("\nObservation",)  # where a model begins to invent what comes back
    prompt = str(files(__package__) / "one_line.md")  # a built-in prompt's name, or the path of an .md file

    def read(self, text: str, finish_reason: FinishReason) -> Turn:
        """Say where the thought and the call are: training weighs them by that."""
        found = _GUESS.search(text)
        if found is None:
            return Turn(text, error=ActionError.EMPTY, error_message="there is no line `guess: N`")
        parts = (Part(PartKind.THOUGHT, 0, found.start()), Part(PartKind.CALL, *found.span(1)))
        return Turn(text[: found.end()], parts)

    def observe(self, turn: Turn, outcome: Outcome | None, max_chars: int) -> Message | None:
        """What comes back to the model; `outcome` is None where there was nothing to do."""
        if outcome is None:
            return Message(Role.USER, f"Nothing was done: {turn.error_message}.")
        if outcome.is_final:
            return None
        said = outcome.stdout if outcome.error is None else f"{outcome.error.message} is no number."
        return Message(Role.USER, said[:max_chars])


PROTOCOL = OneLine()
