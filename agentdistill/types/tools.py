"""What agents call: the retriever, as everything else sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Passage:
    """One hit of the retriever."""

    id: str
    title: str
    text: str
    score: float


class Search(Protocol):
    """The retriever, as everything else sees it."""

    async def __call__(self, queries: list[str], k: int) -> list[list[Passage]]:
        """Return at most k passages per query, best first. Raises RetrieverError, BusyError."""
        ...
