"""The protocol of the paper's agents: a Thought, then a Code block; an Observation comes back.

Reasoning blocks (`<think>...</think>` and their relatives, see `reasoning.py`) are a draft: they stay in the record and
are not read. How the rest is read is in `code_blocks.py`, what comes back in `observation.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

from agentdistill.agent.protocols.base import Turn
from agentdistill.agent.protocols.code_blocks import END_TAG, find_blocks
from agentdistill.agent.protocols.observation import HEADER, observe
from agentdistill.agent.protocols.reasoning import blank_reasoning, reasoning_spans
from agentdistill.agent.protocols.spans import Span
from agentdistill.final_answer import final_answer_within
from agentdistill.types import ActionError, FinishReason, Message, Outcome, Part, PartKind, Role

#: What an invalid action gets for an observation.
FORMAT_REMINDER = (
    "Error: {reason}. Write `Thought:` with your reasoning, then `Code:` with one block that begins with ```py "
    "and ends with ```<end_code>. If you know the answer, that block calls final_answer with it."
)


class ThoughtCode:
    """Satisfies `AgentProtocol`."""

    name = "thought_code"
    prompt = "teacher"
    #: The end of an action, or the start of an invented observation. Models that were trained on tool use in one turn,
    #: as Qwen2.5 was, write theirs into a block marked output.
    stop = (END_TAG, "\nObservation:", "\n```output")

    def read(self, text: str, finish_reason: FinishReason = FinishReason.STOP) -> Turn:
        """Take one turn apart; never raises."""
        drafts = reasoning_spans(text)
        read = blank_reasoning(text) if drafts else text
        if drafts and not read.strip():
            parts = _parts(text, drafts, (), ())
            if finish_reason is FinishReason.LENGTH:
                return Turn(text, parts, ActionError.UNFINISHED, "the token limit was reached inside the reasoning")
            return Turn(text, parts, ActionError.NO_CODE, "the turn holds reasoning alone, no Python code block")
        found = find_blocks(read, finish_reason, drafts)
        # What stays in the conversation is a beginning of the turn, and blanking moved nothing.
        kept = text[: found.end]
        drafts = [draft for draft in drafts if draft[0] < found.end]
        return Turn(kept, _parts(kept, drafts, found.thought, found.code), found.error, found.error_message)

    def observe(self, turn: Turn, outcome: Outcome | None, max_chars: int) -> Message | None:
        """What the code did, or what the form of a turn is; nothing where the code gave the final answer."""
        if outcome is None:
            return Message(Role.USER, HEADER + FORMAT_REMINDER.format(reason=turn.error_message))
        return None if outcome.is_final else Message(Role.USER, HEADER + observe(outcome, max_chars))


THOUGHT_CODE = ThoughtCode()


def _parts(text: str, drafts: Sequence[Span], thought: Sequence[Span], code: Sequence[Span]) -> tuple[Part, ...]:
    """All parts in the order of the text; the answer behind the code that gives it."""
    kinds = ((PartKind.REASONING, drafts), (PartKind.THOUGHT, thought), (PartKind.CODE, code))
    parts = sorted(
        (Part(kind, start, end) for kind, spans in kinds for start, end in spans), key=lambda part: part.start
    )
    answer = final_answer_within(text, code)
    return (*parts, Part(PartKind.ANSWER, *answer)) if answer is not None else tuple(parts)
