"""Passages in front of the question: chain of thought with retrieval."""

from __future__ import annotations

from typing import Self

from agentdistill.environments.none import NoEnvironment
from agentdistill.environments.opening import Supplies
from agentdistill.errors import BusyError, RetrieverError
from agentdistill.tools import SearchText
from agentdistill.types import Question


class PassagesEnvironment(NoEnvironment):
    """Begins with the passages that the retriever finds for the question; nothing can be done afterwards."""

    def __init__(self, search: SearchText) -> None:
        self._search = search

    @classmethod
    def from_supplies(cls, supplies: Supplies) -> Self:
        """Raises ValueError where there is no retriever."""
        if supplies.search is None:
            raise ValueError("there is no retriever, expected retriever.enabled: true")
        return cls(supplies.search)

    async def reset(self, question: Question) -> str:
        """The passages as text. Raises RetrieverError, also where the retriever was busy to the end."""
        try:
            return await self._search(question.text)
        except BusyError as error:
            raise RetrieverError(f"{type(error).__name__}: {error}") from error
