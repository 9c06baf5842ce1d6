"""Spans [start, end) of a text: cut to what they hold, and cut around what they must not hold."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

Span = tuple[int, int]


def trimmed(text: str, span: Span, left: str | None = None, right: str | None = None) -> Span:
    """The span without these characters at its ends (None: white space)."""
    piece = text[slice(*span)]
    start = span[0] + len(piece) - len(piece.lstrip(left))
    return start, max(start, span[0] + len(piece.rstrip(right)))


def without(span: Span, holes: Sequence[Span]) -> list[Span]:
    """What is left of the span around the holes, which are in order and do not overlap."""
    left: list[Span] = []
    start, end = span
    first = bisect_right(holes, start, key=lambda hole: hole[1])
    for opened, closed in holes[first:]:
        if opened >= end:
            break
        left.append((start, opened))
        start = closed
    left.append((start, end))
    return [(begin, stop) for begin, stop in left if begin < stop]
