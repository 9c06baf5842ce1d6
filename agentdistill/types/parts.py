"""What a turn is made of: the protocol that reads a turn says where its parts are, and nobody looks for them again."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class PartKind(StrEnum):
    """What a part of a turn is."""

    REASONING = "reasoning"  # a draft that is never acted on: <think>...</think>, tags included
    THOUGHT = "thought"  # what the agent says before it acts
    CODE = "code"  # a program to run; several are run as one, in their order
    CALL = "call"  # a tool call, as the model wrote it
    ANSWER = "answer"  # what gives the answer; lies within a thought, or within the code or the call that gives it


@dataclass(frozen=True, slots=True)
class Part:
    """Characters [start, end) of a turn's text."""

    kind: PartKind
    start: int
    end: int
