"""Where actions are taken: what an action did, the environment that took it, and the session that runs code."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from agentdistill.types.questions import Question


class Limit(StrEnum):
    """Which sandbox limit ended a piece of code."""

    WALL = "wall"
    CPU = "cpu"
    MEMORY = "memory"
    OUTPUT = "output"
    FILES = "files"
    PROCESSES = "processes"
    VALUE = "value"
    CRASH = "crash"  # the interpreter died: a fatal signal, os._exit, sys.exit of the whole process


@dataclass(frozen=True, slots=True)
class CodeError:
    """What the code in the sandbox raised."""

    type: str
    message: str
    traceback: str = ""  # the part that lies in the session's own code


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one action did."""

    stdout: str
    value: str | None = None  # repr of a last bare expression
    error: CodeError | None = None
    final_answer: str | None = None  # what final_answer(x) received, as text
    is_final: bool = False
    limit: Limit | None = None
    duration_s: float = 0.0
    num_tool_calls: int = 0
    tools_s: float = 0.0  # seconds spent waiting for tools, part of duration_s
    state_lost: bool = False  # the session's variables did not survive; it starts empty at the next call


class CodeSession(Protocol):
    """A sandbox session, as the agent sees it. `agentdistill.sandbox` provides it in process and as a service."""

    async def run(self, code: str) -> Outcome:
        """Run code in the session. Raises SandboxError, SessionLostError, BusyError; never for what the code did."""
        ...

    async def try_all(self, codes: list[str]) -> list[Outcome]:
        """Run each code in a fork of the session; the session is unchanged."""
        ...

    async def commit(self, index: int) -> None:
        """Make fork `index` of the last try_all the session."""
        ...

    async def close(self) -> None:
        """End the session. Safe to call twice."""
        ...


class Environment(Protocol):
    """Where the actions of one episode are taken.

    An environment that also has `async copy() -> Environment`, an independent copy of itself, can be used with
    self-consistent actions, and so can one with `try_all` and `commit` as a CodeSession has them, which are preferred.
    """

    async def reset(self, question: Question) -> str:
        """Begin the episode; returns text that stands before the question in the first message, "" for none.

        Raises SandboxError, RetrieverError where a part that it needs is down.
        """
        ...

    async def step(self, action: str) -> Outcome:
        """Take an action. `is_final` and `final_answer` of its outcome end the episode. Raises as `reset` does."""
        ...

    async def close(self) -> None:
        """End the episode. Safe to call twice."""
        ...
