r"""From what a model wrote in its turn to the code to run.

The rules, in order:

0. Reasoning blocks (`<think>...</think>` and their relatives, see `reasoning.py`) are a draft: they stay in the record
   and are not read.
1. The text ends where the model starts to play the environment: a line that begins with `Observation:`. (Engines stop
   there too, and at a block marked output.)
2. Fenced blocks marked py, python, python3 or not at all, closed by a fence at the start of a line, are code; so is
   `<code>...</code>`. Blocks in another language are not. Several blocks are joined in their order.
3. A last block without its closing fence, behind all that have theirs, counts where the model ended its turn by itself
   (it forgot the fence), and is UNFINISHED where the token limit cut it.
4. Without any block, what follows a `Code:` line counts if it is valid Python; so does the whole text if it calls
   `final_answer`, `search` or `print` and is valid Python.
5. What follows the last block is dropped from the conversation.

The closing tag `<end_code>` may be missing everywhere.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, replace

from agentdistill.agent.reasoning import blank_reasoning, reasoning_spans
from agentdistill.types import ActionError, FinishReason

END_TAG = "<end_code>"

#: Where an engine should stop: the end of an action, or the start of an invented observation. Models that were trained
#: on tool use in one turn, as Qwen2.5 was, write theirs into a block marked output.
STOP_TEXTS = (END_TAG, "\nObservation:", "\n```output")

_OBSERVATION = re.compile(r"^[ \t]*Observation\s*:", re.MULTILINE)
_FENCE = re.compile(
    r"```[ \t]*([A-Za-z0-9_+-]*)[ \t]*\r?\n(.*?)(?:^[ \t]*```|(?<=\n)```|```(?=<end_code>))", re.S | re.M
)
_OPEN_FENCE = re.compile(r"```[ \t]*([A-Za-z0-9_+-]*)[ \t]*(?:\r?\n|\Z)")
_CODE_TAG = re.compile(r"<code>\s*\n?(.*?)</code>", re.S)
_CODE_LINE = re.compile(r"^[ \t]*Code\s*:[ \t]*", re.MULTILINE)
_THOUGHT_WORD = re.compile(r"^\s*Thought\s*:\s*")
_CALLS_TOOL = re.compile(r"\b(final_answer|search|print)\s*\(")
_PYTHON = frozenset({"", "py", "python", "python3"})


@dataclass(frozen=True, slots=True)
class Action:
    """One turn of the model, taken apart."""

    text: str  # what stays in the conversation
    thought: str
    code: str  # empty where error is set
    error: ActionError | None = None
    error_message: str = ""


def parse_action(text: str, finish_reason: FinishReason = FinishReason.STOP) -> Action:
    """Take one turn apart by the rules above; never raises."""
    if not reasoning_spans(text):
        return _parse(text, finish_reason)
    read = blank_reasoning(text)
    if not read.strip():
        if finish_reason is FinishReason.LENGTH:
            return Action(text, "", "", ActionError.UNFINISHED, "the token limit was reached inside the reasoning")
        return Action(text, "", "", ActionError.NO_CODE, "the turn holds reasoning alone, no Python code block")
    action = _parse(read, finish_reason)
    # What stays in the conversation is a beginning of the turn, and blanking moved nothing.
    return replace(action, text=text[: len(action.text)])


def _parse(text: str, finish_reason: FinishReason) -> Action:
    invented = _OBSERVATION.search(text)
    played = text[: invented.start()] if invented else text
    if not played.strip():
        return Action(played.rstrip(), "", "", ActionError.EMPTY, "the turn holds nothing but whitespace")
    spans = _code_spans(played)
    opened = _open_fence(played, spans[-1][1] if spans else 0)
    if spans:
        return _from_spans(played, spans, opened, finish_reason)
    if opened is not None:
        return _from_open_fence(played, opened, finish_reason, ())
    return _without_block(played, finish_reason)


def _code_spans(text: str) -> list[tuple[int, int, str]]:
    """(start, end, code) of each complete Python block, in order."""
    fences = [
        (match.start(), match.end(), match.group(2))
        for match in _FENCE.finditer(text)
        if match.group(1).lower() in _PYTHON
    ]
    if fences:
        return fences
    return [(match.start(), match.end(), match.group(1)) for match in _CODE_TAG.finditer(text)]


def _open_fence(text: str, start: int) -> re.Match[str] | None:
    """The fence that opens a Python block behind `start` and all blocks that are complete, in whatever language."""
    complete = max((match.end() for match in _FENCE.finditer(text)), default=0)
    matches = _OPEN_FENCE.finditer(text, max(start, complete))
    return next((match for match in matches if match.group(1).lower() in _PYTHON), None)


def _from_spans(
    text: str, spans: list[tuple[int, int, str]], opened: re.Match[str] | None, finish_reason: FinishReason
) -> Action:
    codes = tuple(code.strip("\r\n") for _, _, code in spans)
    if opened is not None and text[opened.end() :].strip():
        return _from_open_fence(text, opened, finish_reason, codes)
    code = "\n\n".join(codes)
    end = spans[-1][1]
    if text.startswith(END_TAG, end):
        end += len(END_TAG)
    return _action(text[:end], _thought(text[: spans[0][0]]), code)


def _from_open_fence(text: str, opened: re.Match[str], finish_reason: FinishReason, codes: tuple[str, ...]) -> Action:
    thought = _thought(text[: text.find("```")])
    if finish_reason is FinishReason.LENGTH:
        message = "the token limit was reached inside a code block"
        return Action(text.rstrip(), thought, "", ActionError.UNFINISHED, message)
    body, _, _ = text[opened.end() :].partition(END_TAG)
    code = "\n\n".join([*codes, body.rstrip("`").strip("\r\n").rstrip()])
    return _action(text.rstrip(), thought, code)


def _without_block(text: str, finish_reason: FinishReason) -> Action:
    body = text.replace(END_TAG, "")
    marker = _CODE_LINE.search(body)
    if marker and body[marker.end() :].strip():
        code = body[marker.end() :].strip()
        if _is_python(code):
            return _action(text.rstrip(), _thought(body[: marker.start()]), code)
    if _CALLS_TOOL.search(body) and _is_python(body.strip()):
        return _action(text.rstrip(), "", body.strip())
    if finish_reason is FinishReason.LENGTH:
        message = "the token limit was reached before any code block"
        return Action(text.rstrip(), _thought(body), "", ActionError.UNFINISHED, message)
    return Action(text.rstrip(), _thought(body), "", ActionError.NO_CODE, "no Python code block was found")


def _action(text: str, thought: str, code: str) -> Action:
    if not code.strip():
        return Action(text, thought, "", ActionError.EMPTY, "the code block is empty")
    return Action(text, thought, code)


def _thought(text: str) -> str:
    marker = list(_CODE_LINE.finditer(text))
    if marker:
        text = text[: marker[-1].start()]
    return _THOUGHT_WORD.sub("", text).strip()


def _is_python(code: str) -> bool:
    try:
        ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
