"""What is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """How an answer is compared with the gold answers, where no grader of somebody's own does it."""

    MATH = "math"  # as a mathematical expression
    FACTUAL = "factual"  # as text: exact match, F1, or a judge


def kind_of(name: str) -> str:
    """The `Kind` of that value, or the name itself: that of a grader."""
    return Kind(name) if name in tuple(Kind) else name


@dataclass(frozen=True, slots=True)
class Question:
    """One task item."""

    id: str
    text: str
    answers: tuple[str, ...]  # accepted gold answers, at least one
    kind: str  # a Kind, or the name of the grader that decides
    task: str
    metadata: Mapping[str, str] = field(default_factory=dict)
