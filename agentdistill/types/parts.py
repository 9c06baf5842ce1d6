"""What a turn is made of: the protocol that reads a turn says where its parts are, and nobody looks for them again."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
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


#: Between two parts of one kind where they are read as one text.
BETWEEN_PARTS = "\n\n"


def text_of(text: str, parts: Iterable[Part], kind: PartKind) -> str:
    """The parts of a kind, in their order, with a blank line between two; empty where there is none."""
    return BETWEEN_PARTS.join(text[part.start : part.end] for part in parts if part.kind is kind)


def action_of(text: str, parts: tuple[Part, ...]) -> str:
    """What the environment is given to do: the code, else the calls; empty where there is nothing to do."""
    return text_of(text, parts, PartKind.CODE) or text_of(text, parts, PartKind.CALL)


def check_parts(content: str, parts: Sequence[Part]) -> str | None:
    """What is wrong with the parts of a turn, or None."""
    outer = outer_parts(parts)
    for part in parts:
        if part.kind is PartKind.ANSWER and not any(holds(other, part) for other in outer):
            return check_places(content, parts) or f"{_named(part)} lies in no thought, code or call"
    return check_places(content, parts)


def check_places(content: str, parts: Sequence[Part]) -> str | None:
    """What is wrong with where the parts stand, whatever holds the answers; or None."""
    for part in parts:
        if not 0 <= part.start <= part.end <= len(content):
            return f"{_named(part)} does not lie within the message's {len(content)} characters"
    for first, second in itertools.pairwise(outer_parts(parts)):
        if second.start < first.end:
            return f"{_named(first)} and {_named(second)} overlap"
    return None


def outer_parts(parts: Sequence[Part]) -> list[Part]:
    """All but the answers, in the order of the text."""
    return sorted((part for part in parts if part.kind is not PartKind.ANSWER), key=lambda part: (part.start, part.end))


def holds(part: Part, answer: Part) -> bool:
    """Whether the answer lies in the part."""
    return part.start <= answer.start and answer.end <= part.end


def _named(part: Part) -> str:
    return f"{part.kind} [{part.start}, {part.end})"
