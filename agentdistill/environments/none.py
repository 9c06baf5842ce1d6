"""Nowhere to act: for protocols whose one turn is the answer."""

from __future__ import annotations

from agentdistill.types import CodeError, Outcome, Question


class NoEnvironment:
    """Satisfies `Environment`; every action fails."""

    async def reset(self, question: Question) -> str:
        return ""

    async def step(self, action: str) -> Outcome:
        return Outcome("", error=CodeError("NoEnvironment", "nothing can be done here"))

    async def copy(self) -> NoEnvironment:
        return self

    async def close(self) -> None:
        return None
