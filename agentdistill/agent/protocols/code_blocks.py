r"""From what a model wrote in its turn to the code to run.

The rules, in order:

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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agentdistill.agent.protocols.spans import Span, trimmed, without
from agentdistill.types import BETWEEN_PARTS, ActionError, FinishReason

END_TAG = "<end_code>"

_OBSERVATION = re.compile(r"^[ \t]*Observation\s*:", re.MULTILINE)
_FENCE = re.compile(r"```[ \t]*([A-Za-z0-9_+-]*)[ \t]*\r?\n")
_FENCE_END = re.compile(r"^[ \t]*```|```(?=<end_code>)", re.MULTILINE)
_OPEN_FENCE = re.compile(r"```[ \t]*([A-Za-z0-9_+-]*)[ \t]*(?:\r?\n|\Z)")
_CODE_TAG = re.compile(r"<code>\s*")
_CODE_TAG_END = re.compile(r"</code>")
_CODE_LINE = re.compile(r"^[ \t]*Code\s*:[ \t]*", re.MULTILINE)
_THOUGHT_WORD = re.compile(r"^\s*Thought\s*:\s*")
_CALLS_TOOL = re.compile(r"\b(final_answer|search|print)\s*\(")
_PYTHON = frozenset({"", "py", "python", "python3"})
_LINE_ENDS = "\r\n"


@dataclass(frozen=True, slots=True)
class Found:
    """Where what was written stands."""

    end: int  # what stands behind it is dropped
    thought: tuple[Span, ...] = ()
    code: tuple[Span, ...] = ()  # empty where error is set
    error: ActionError | None = None
    error_message: str = ""


@dataclass(frozen=True, slots=True)
class _Block:
    start: int
    end: int
    code: Span
    language: str = ""


def find_blocks(text: str, finish_reason: FinishReason, drafts: Sequence[Span] = ()) -> Found:
    """Find thought and code by the rules above; never raises.

    `drafts` are spans that are not read, in order: the text holds spaces there.
    """
    invented = _OBSERVATION.search(text)
    played = text[: invented.start()] if invented else text
    if not played.strip():
        return Found(0, error=ActionError.EMPTY, error_message="the turn holds nothing but whitespace")
    blocks = _code_blocks(played)
    opened = _open_fence(played, blocks[-1].end if blocks else 0)
    if opened is not None and (not blocks or played[opened.end() :].strip()):
        return _from_open_fence(played, blocks, opened, finish_reason, drafts)
    if blocks:
        return _from_blocks(played, blocks, drafts)
    return _without_block(played, finish_reason, drafts)


def _code_blocks(text: str) -> list[_Block]:
    """Each complete Python block, in order."""
    fences = [block for block in _closed(text, _FENCE, _FENCE_END) if block.language in _PYTHON]
    return fences or list(_closed(text, _CODE_TAG, _CODE_TAG_END))


def _closed(text: str, opens: re.Pattern[str], closes: re.Pattern[str]) -> Iterator[_Block]:
    """Each block with both its ends; linear in the text, as one that nothing closes is the last that is looked at."""
    position = 0
    while (opened := opens.search(text, position)) and (closed := closes.search(text, opened.end())):
        position = closed.end()
        language = opened[1].lower() if opens.groups else ""
        yield _Block(opened.start(), position, (opened.end(), closed.start()), language)


def _open_fence(text: str, start: int) -> re.Match[str] | None:
    """The fence that opens a Python block behind `start` and all blocks that are complete, in whatever language."""
    complete = max((block.end for block in _closed(text, _FENCE, _FENCE_END)), default=0)
    matches = _OPEN_FENCE.finditer(text, max(start, complete))
    return next((match for match in matches if match.group(1).lower() in _PYTHON), None)


def _from_blocks(text: str, blocks: list[_Block], drafts: Sequence[Span]) -> Found:
    end = blocks[-1].end
    if text.startswith(END_TAG, end):
        end += len(END_TAG)
    thought = _thought(text, blocks[0].start, drafts)
    return _found(text, end, thought, [trimmed(text, block.code, _LINE_ENDS, _LINE_ENDS) for block in blocks], drafts)


def _from_open_fence(
    text: str, blocks: list[_Block], opened: re.Match[str], finish_reason: FinishReason, drafts: Sequence[Span]
) -> Found:
    end = len(text.rstrip())
    thought = _thought(text, min([text.find("```"), *(block.start for block in blocks)]), drafts)
    if finish_reason is FinishReason.LENGTH:
        message = "the token limit was reached inside a code block"
        return Found(end, thought, error=ActionError.UNFINISHED, error_message=message)
    closed = text.find(END_TAG, opened.end())
    body = trimmed(text, (opened.end(), len(text) if closed < 0 else closed), "", "`")
    last = trimmed(text, trimmed(text, body, _LINE_ENDS, _LINE_ENDS), "", None)
    code = [trimmed(text, block.code, _LINE_ENDS, _LINE_ENDS) for block in blocks]
    return _found(text, end, thought, [*code, last], drafts)


def _without_block(text: str, finish_reason: FinishReason, drafts: Sequence[Span]) -> Found:
    tags = [match.span() for match in re.finditer(re.escape(END_TAG), text)]
    holes = sorted([*drafts, *tags])
    body = text.replace(END_TAG, " " * len(END_TAG))
    end = len(text.rstrip())
    marker = _CODE_LINE.search(body)
    if marker:
        code = _code_pieces(body, trimmed(body, (marker.end(), len(body))), holes)
        if code and _is_python(body, code):
            return Found(end, _thought(body, marker.start(), holes), code)
    code = _code_pieces(body, trimmed(body, (0, len(body))), holes)
    if _CALLS_TOOL.search(body) and _is_python(body, code):
        return Found(end, (), code)
    thought = _thought(body, len(body), holes)
    if finish_reason is FinishReason.LENGTH:
        message = "the token limit was reached before any code block"
        return Found(end, thought, error=ActionError.UNFINISHED, error_message=message)
    return Found(end, thought, error=ActionError.NO_CODE, error_message="no Python code block was found")


def _found(text: str, end: int, thought: tuple[Span, ...], blocks: list[Span], holes: Sequence[Span]) -> Found:
    code = tuple(piece for block in blocks for piece in _code_pieces(text, block, holes))
    if not code:
        return Found(end, thought, error=ActionError.EMPTY, error_message="the code block is empty")
    return Found(end, thought, code)


def _code_pieces(text: str, span: Span, holes: Sequence[Span]) -> tuple[Span, ...]:
    """What holds code in the span, around the holes."""
    pieces = without(span, holes)
    if pieces != [span]:
        pieces = [trimmed(text, piece, _LINE_ENDS) for piece in pieces]
    return tuple(piece for piece in pieces if text[slice(*piece)].strip())


def _thought(text: str, end: int, holes: Sequence[Span]) -> tuple[Span, ...]:
    """What is said before `end`: without its label, and without a `Code:` line at its end."""
    markers = list(_CODE_LINE.finditer(text, 0, end))
    if markers:
        end = markers[-1].start()
    word = _THOUGHT_WORD.match(text, 0, end)
    pieces = [trimmed(text, piece) for piece in without((word.end() if word else 0, end), holes)]
    return tuple(piece for piece in pieces if piece[0] < piece[1])


def _is_python(text: str, pieces: Sequence[Span]) -> bool:
    try:
        ast.parse(BETWEEN_PARTS.join(text[slice(*piece)] for piece in pieces))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
