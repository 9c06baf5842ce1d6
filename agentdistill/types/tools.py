"""What agents call: tools, as prompts describe them, and the retriever, as everything else sees it."""

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


@dataclass(frozen=True, slots=True)
class ToolText:
    """A tool as prompts describe it."""

    name: str  # what the code calls
    call: str  # "search(query)"
    brief: str  # what it does, in a few words, for a student's prompt: "finds passages"
    full: str  # the same for a teacher, who has not been trained on it: "returns a few passages of ..."


#: The retriever as the agent's tool.
SEARCH_TOOL = ToolText(
    name="search",
    call="search(query)",
    brief="finds passages",
    full="returns a few passages of an encyclopedia that fit the query, as text. Print it to read it.",
)


class Search(Protocol):
    """The retriever, as everything else sees it."""

    async def __call__(self, queries: list[str], k: int) -> list[list[Passage]]:
        """Return at most k passages per query, best first. Raises RetrieverError, BusyError."""
        ...
