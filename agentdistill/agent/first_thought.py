"""First-thought prefix (arXiv 2505.17612, section 4.1).

The teacher first answers with a plain chain of thought; its text up to the first blank line becomes the start of its
first Thought as an agent, which the engine then continues.
"""

from __future__ import annotations

import dataclasses
import re

from agentdistill.agent.prompts import load_prompt
from agentdistill.agent.protocols.reasoning import without_reasoning
from agentdistill.types import Completion, FinishReason, Generate, Message, Question, Request, Role, Sampling

THOUGHT = "Thought: "
BLANK_LINE = "\n\n"
_BLANK_LINE = re.compile(r"\n[ \t]*\n")
_SENTENCE_END = re.compile(r"[.!?:][)\"'*]*(?=\s)|\n")


async def first_thought(question: Question, generate: Generate, sampling: Sampling) -> tuple[str, Completion]:
    """Return the prefix's text (without `Thought: `) and the completion it was taken from.

    The text is empty where the model wrote nothing before its first blank line, or no whole sentence within
    `sampling.max_tokens`. Raises what `generate` raises.
    """
    messages = (Message(Role.SYSTEM, load_prompt("cot").render().text), Message(Role.USER, question.text))
    # Only the first paragraph is kept, so nothing is written beyond it; a text that begins with the blank line is the
    # one case in which that would leave nothing, and one whose reasoning holds the blank line another.
    (completion,) = await generate(Request(messages, dataclasses.replace(sampling, stop=(BLANK_LINE,))))
    if not without_reasoning(completion.text).strip() and completion.num_completion_tokens < sampling.max_tokens:
        (completion,) = await generate(Request(messages, sampling))
    written = without_reasoning(completion.text)
    text = first_paragraph(written)
    if completion.finish_reason is not FinishReason.STOP and not _BLANK_LINE.search(written.strip()):
        text = whole_sentences(text)
    return text, completion


def first_paragraph(text: str) -> str:
    """The text up to its first blank line, without surrounding whitespace."""
    return _BLANK_LINE.split(text.strip(), maxsplit=1)[0].strip()


def whole_sentences(text: str) -> str:
    """A text that was cut, up to the end of its last sentence or line; empty where it has none."""
    ends = [match.end() for match in _SENTENCE_END.finditer(text)]
    return text[: ends[-1]].strip() if ends else ""
