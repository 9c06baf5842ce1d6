"""Environments as the episode uses them: a session as one, and candidates for self-consistent actions on any."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any, cast

from agentdistill.errors import ConfigError
from agentdistill.types import CodeSession, Environment, Outcome, Question


class SessionEnvironment:
    """A sandbox session as an environment: its actions are pieces of code. Satisfies `Environment`."""

    def __init__(self, session: CodeSession) -> None:
        self._session = session

    async def reset(self, question: Question) -> str:
        """Nothing: the session opens at its first use, and nothing stands before the question."""
        return ""

    async def step(self, action: str) -> Outcome:
        return await self._session.run(action)

    async def try_all(self, actions: list[str]) -> list[Outcome]:
        return await self._session.try_all(actions)

    async def commit(self, index: int) -> None:
        await self._session.commit(index)

    async def close(self) -> None:
        await self._session.close()


def as_environment(session: CodeSession | Environment) -> Environment:
    """The environment itself, or the session as one."""
    return cast(Environment, session) if hasattr(session, "step") else SessionEnvironment(session)


class Branches:
    """An environment of which several actions can be tried, one of them to be kept.

    It uses what the environment has: `try_all` and `commit`, else copies, each of which takes one action.
    """

    def __init__(self, environment: Environment, candidates: int) -> None:
        """Raises ConfigError where more than one candidate is asked for and the environment has neither."""
        self._now: Any = environment
        self._given = environment
        self._forks = hasattr(environment, "try_all") and hasattr(environment, "commit")
        self._copies: list[Any] = []
        copies = inspect.iscoroutinefunction(getattr(environment, "copy", None))
        if candidates > 1 and not self._forks and not copies:
            # Every episode would fail alike, and no request has been made yet: the run should end with this sentence.
            raise ConfigError(
                f"agent.sag.n is {candidates}, expected 1 with the environment {type(environment).__name__}: it has "
                "neither try_all and commit nor an async copy, so that candidates cannot be tried"
            )

    async def reset(self, question: Question) -> str:
        """What it says, checked. Raises TypeError where that is no text."""
        text = await self._now.reset(question)
        if not isinstance(text, str):
            raise TypeError(f"{self._named}.reset returned a {type(text).__name__}, expected a text, empty for nothing")
        return text

    async def step(self, action: str) -> Outcome:
        """What it did, checked. Raises TypeError where that is no Outcome."""
        return self._outcome(await self._now.step(action))

    async def try_all(self, actions: list[str]) -> list[Outcome]:
        """What each action does, in a branch of its own; the environment is unchanged."""
        if self._forks:
            return [self._outcome(outcome) for outcome in await self._now.try_all(actions)]
        for _ in actions:
            self._copies.append(await self._now.copy())
        tried = zip(self._copies, actions, strict=True)
        # All come to their end before one that failed ends the episode: none is closed while it acts.
        outcomes = await asyncio.gather(*(copy.step(action) for copy, action in tried), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        return [self._outcome(outcome) for outcome in outcomes]

    async def commit(self, index: int) -> None:
        """Go on in the branch of that action."""
        if self._forks:
            await self._now.commit(index)
            return
        before, self._now = self._now, self._copies.pop(index)
        await self._drop(*self._copies, before)
        self._copies = []

    async def close(self) -> None:
        """End what was made here; the environment that was given is its owner's."""
        await self._drop(*self._copies, self._now)
        self._copies = []

    @property
    def _named(self) -> str:
        return type(self._given).__name__

    def _outcome(self, found: object) -> Outcome:
        if not isinstance(found, Outcome):
            raise TypeError(f"{self._named}.step returned a {type(found).__name__}, expected an Outcome")
        return found

    async def _drop(self, *environments: Any) -> None:
        for environment in environments:
            if environment is not self._given:
                await environment.close()
