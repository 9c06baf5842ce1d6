"""Answering in one turn, without code: the one completion is the answer. The paper's baselines."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agentdistill.agent.protocols.base import Turn
from agentdistill.agent.protocols.reasoning import blank_reasoning, reasoning_spans
from agentdistill.agent.protocols.spans import Span, trimmed, without
from agentdistill.types import ActionError, FinishReason, Message, Outcome, Part, PartKind

#: Runs are possessive and begin at a line's start alone, so that the search is linear in the text, whatever it holds.
_ANSWER_LINE = re.compile(
    r"^[^\w\n]*+(?:the\s++)?(?:final\s++)?answer(?:\s++is)?[^\w\s]*+\s++(.+)$", re.IGNORECASE | re.MULTILINE
)
_BOXED = "\\boxed{"


class ChainOfThought:
    """Satisfies `AgentProtocol`."""

    name = "chain_of_thought"
    prompt = "cot"
    stop: tuple[str, ...] = ()

    def read(self, text: str, finish_reason: FinishReason = FinishReason.STOP) -> Turn:
        """The whole text is a thought, drafts aside, and the answer stands in it where it does."""
        drafts = reasoning_spans(text)
        parts = [Part(PartKind.REASONING, *span) for span in drafts]
        parts += [Part(PartKind.THOUGHT, *span) for span in without((0, len(text)), drafts)]
        parts.sort(key=lambda part: part.start)
        answer = _answer_span(text, drafts)
        if answer is not None:
            parts.append(Part(PartKind.ANSWER, *answer))
        # Cut by the token limit: an answer may stand in it, but it is no example of how to end.
        error = ActionError.UNFINISHED if finish_reason is FinishReason.LENGTH else None
        return Turn(text, tuple(parts), error, ends=True)

    def observe(self, turn: Turn, outcome: Outcome | None, max_chars: int) -> Message | None:
        """Nothing: the turn is the last one."""
        return None


CHAIN_OF_THOUGHT = ChainOfThought()


def extract_answer(text: str) -> str | None:
    r"""The content of the last `\boxed{...}`, else the rest of the last `Answer:` line, else None.

    A draft of an answer within reasoning (`<think>...</think>`) is none.
    """
    span = _answer_span(text, reasoning_spans(text))
    return None if span is None else text[slice(*span)]


def _answer_span(text: str, drafts: Sequence[Span]) -> Span | None:
    """Where the answer stands outside the drafts; one that a draft interrupts is none."""
    span = _span_in(blank_reasoning(text) if drafts else text)
    if span is None or any(start < span[1] and span[0] < end for start, end in drafts):
        return None
    return span


def _span_in(text: str) -> Span | None:
    start = text.rfind(_BOXED)
    if start >= 0:
        end = _closing_brace(text, start + len(_BOXED))
        if end is not None:
            return trimmed(text, (start + len(_BOXED), end))
    lines = list(_ANSWER_LINE.finditer(text))
    if not lines:
        return None
    return trimmed(text, trimmed(text, lines[-1].span(1)), "*", "*.")


def _closing_brace(text: str, start: int) -> int | None:
    depth = 1
    for position in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        if depth == 0:
            return position
    return None
