"""The reasoning that a model writes in front of its turn (`<think>...</think>` and its relatives).

It is a draft: nothing in it is an action, an answer or an observation. Three forms are known: a closed block, a block
that is never closed (the token limit cut it, or the model forgot), and a closing tag alone, where the chat template
opened the block in the prompt.
"""

from __future__ import annotations

import re

_NAMES = r"(?:seed:)?(?:think|thinking|thought|reasoning|reflection)"
_TAG = rf"[ \t]*(?:<{_NAMES}>|\[THINK\]|◁think▷)"
_OPEN = re.compile(f"^{_TAG}", re.MULTILINE | re.IGNORECASE)
_OPEN_BEHIND = re.compile(_TAG, re.IGNORECASE)  # right behind another block
_CLOSE = re.compile(rf"(?:</{_NAMES}>|\[/THINK\]|◁/think▷)", re.IGNORECASE)
_FENCE = re.compile(r"^[ \t]*(```|~~~)", re.MULTILINE)
_QUOTES = "\"'`"


def reasoning_spans(text: str) -> list[tuple[int, int]]:
    """(start, end) of each reasoning block with its tags, in order; they do not overlap.

    A tag inside a code block, or between quotes, is part of a program and opens or closes nothing.
    """
    spans: list[tuple[int, int]] = []
    position = _closed_from_outside(text)
    if position:
        spans.append((0, position))
    opened = None
    while (opened := _next_opening(text, position, opened)) is not None:
        fence = _FENCE.search(text, position, opened.start())
        if fence is not None:
            end = re.compile(rf"^[ \t]*{fence[1]}", re.MULTILINE).search(text, fence.end())
            if end is None:
                break  # the rest is code
            position = end.end()
            continue
        closed = _CLOSE.search(text, opened.end())
        position = len(text) if closed is None else closed.end()
        spans.append((opened.start(), position))
    return spans


def _next_opening(text: str, position: int, before: re.Match[str] | None) -> re.Match[str] | None:
    """The first one from `position` on; `before` is that of an earlier position, which may still lie ahead."""
    behind = _OPEN_BEHIND.match(text, position) if position else None
    if behind is None and before is not None and before.start() >= position:
        return before
    return behind or _OPEN.search(text, position)


def _closed_from_outside(text: str) -> int:
    """Where a block ends that the prompt opened: behind a closing tag that no opening tag stands before; else 0."""
    opened = _OPEN.search(text)
    end = 0
    for closed in _CLOSE.finditer(text, 0, opened.start() if opened else len(text)):
        around = text[max(0, closed.start() - 1) : closed.start()] + text[closed.end() : closed.end() + 1]
        if not any(character in _QUOTES for character in around):
            end = closed.end()
    return end


def blank_reasoning(text: str) -> str:
    """The text with spaces in place of its reasoning: every other character stands where it stood."""
    return _replaced(text, " ")


def without_reasoning(text: str) -> str:
    """The text without its reasoning blocks, which is what the model says to somebody else."""
    return _replaced(text, "")


def _replaced(text: str, character: str) -> str:
    """The text with this in place of each character of its reasoning."""
    pieces, place = [], 0
    for start, end in reasoning_spans(text):
        pieces += [text[place:start], character * (end - start)]
        place = end
    return "".join([*pieces, text[place:]])
