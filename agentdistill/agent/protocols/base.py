"""What an agent protocol is: how a turn is asked for, read and answered.

A protocol is one object, found by its name (`agent.protocol`, plugin kind `protocol`). It keeps nothing of an episode,
so that hundreds of them may share it. A protocol of a user's own, whole:

    class GoProtocol:
        name = "go"
        stop = ("\\n",)
        prompt = "my_package/go.md"

        def read(self, text, finish_reason):
            move = text.strip()
            return Turn(text, (Part(PartKind.CALL, 0, len(text)),) if move else (), None if move else ActionError.EMPTY)

        def observe(self, turn, outcome, max_chars):
            return Message(Role.USER, outcome.stdout if outcome else "Say where to go.")

    PROTOCOL = GoProtocol()
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from agentdistill.types import (
    ActionError,
    FinishReason,
    Message,
    Outcome,
    Part,
    PartKind,
    action_of,
    check_places,
    text_of,
)


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of the model, taken apart."""

    text: str  # what stays in the conversation
    parts: tuple[Part, ...] = ()  # within `text`; none overlap but an ANSWER and what it lies in
    error: ActionError | None = None  # why there is nothing to do
    error_message: str = ""
    ends: bool = False  # the turn itself is the answer: nothing is run, and the episode ends with it

    @property
    def thought(self) -> str:
        return text_of(self.text, self.parts, PartKind.THOUGHT)

    @property
    def code(self) -> str:
        return text_of(self.text, self.parts, PartKind.CODE)

    @property
    def action(self) -> str:
        """What the environment is given to do; empty where there is nothing to do."""
        return action_of(self.text, self.parts)

    @property
    def answer(self) -> str | None:
        """What gives the answer, as it stands in the text: the last part that does; None where there is none."""
        found = [self.text[part.start : part.end] for part in self.parts if part.kind is PartKind.ANSWER]
        return found[-1] if found else None


def check_turn(turn: object, protocol: str) -> Turn:
    """What a protocol read. Raises TypeError where it is no turn, ValueError where its parts stand nowhere in it."""
    if not isinstance(turn, Turn) or not isinstance(turn.text, str):
        raise TypeError(f"the protocol {protocol} read a {type(turn).__name__}, expected a Turn with its text")
    problem = check_places(turn.text, turn.parts)
    if problem is not None:
        raise ValueError(f"the protocol {protocol} read a turn whose {problem}")
    return turn


class AgentProtocol(Protocol):
    """How an agent and its environment speak with each other."""

    @property
    def name(self) -> str:
        """As records name it."""
        ...

    @property
    def stop(self) -> tuple[str, ...]:
        """Where an engine stops writing a turn."""
        ...

    @property
    def prompt(self) -> str:
        """The system prompt that explains it, where `agent.prompt` is null."""
        ...

    def read(self, text: str, finish_reason: FinishReason) -> Turn:
        """Take one turn apart. Never raises: what cannot be read has an `error`."""
        ...

    def observe(self, turn: Turn, outcome: Outcome | None, max_chars: int) -> Message | None:
        """What comes back to the model; None where nothing does. `outcome` is None where nothing was run."""
        ...
