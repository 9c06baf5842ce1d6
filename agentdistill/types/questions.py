"""What is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """How an answer is compared with the gold answers."""

    MATH = "math"  # as a mathematical expression
    FACTUAL = "factual"  # as text: exact match, F1, or a judge


@dataclass(frozen=True, slots=True)
class Question:
    """One task item."""

    id: str
    text: str
    answers: tuple[str, ...]  # accepted gold answers, at least one
    kind: Kind
    task: str
    metadata: Mapping[str, str] = field(default_factory=dict)
