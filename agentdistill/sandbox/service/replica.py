"""What one replica of the service does: holds sessions, runs their code in turn, expires those nobody uses.

Knows nothing of Ray but the counters it reports to; `service` deploys it.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agentdistill.config.sandbox import SandboxConfig
from agentdistill.errors import BusyError, SandboxError, SessionLostError, UserError
from agentdistill.sandbox.host.sandbox import Sandbox
from agentdistill.sandbox.host.session import AsyncSession, Entry
from agentdistill.sandbox.service.metrics import Metrics
from agentdistill.types import Outcome

RUNS_PER_CPU = 8
HEALTH_S = 30.0


@dataclass(slots=True)
class _Held:
    session: AsyncSession
    used_at: float = field(default_factory=time.monotonic)
    calls: int = 0  # under way


class Replica:
    """Sessions of one replica, by id. Ids begin with the replica's own, so that a router finds the way back."""

    def __init__(
        self, config: SandboxConfig, tools: Mapping[str, Callable[..., Any]], replica_id: str, metrics: Metrics
    ) -> None:
        self._config, self._tools, self._id, self._metrics = config, dict(tools), replica_id, metrics
        self._sandbox = Sandbox.from_config(config)
        self._sessions: dict[str, _Held] = {}
        self._numbers = itertools.count(1)
        self._turns = asyncio.Semaphore(config.max_running or RUNS_PER_CPU * (os.cpu_count() or 1))
        self._waiting = 0
        self._expiry: asyncio.Task[None] | None = None

    async def open(self, near: str, tools: Sequence[str] | None, journal: Sequence[Entry]) -> str:
        """A new session with these tools (None: all), its state made from the journal; returns its id.

        `near` is not used here: the router reads it. Raises BusyError at the bound of sessions, UserError for a tool
        that this service does not have, SessionLostError where the journal does not run through.
        """
        tools = list(self._tools) if tools is None else tools
        unknown = sorted(set(tools) - set(self._tools))
        if unknown:
            raise UserError(f"the sandbox service has no tool named {unknown[0]!r}; it has {sorted(self._tools)}")
        if len(self._sessions) >= self._config.max_sessions:
            self._metrics.count_busy()
            raise BusyError(f"this replica holds its {self._config.max_sessions} sessions; try again")
        if self._expiry is None:
            self._expiry = asyncio.ensure_future(self._expire())
        held = _Held(self._sandbox.async_session({name: self._tools[name] for name in tools}), calls=1)
        session_id = f"{self._id}/{next(self._numbers)}"
        self._sessions[session_id] = held
        self._metrics.set_sessions(len(self._sessions))
        try:
            await held.session.open()
            if journal:
                await held.session.replay(journal)
        except BaseException:
            await self.close(session_id)
            raise
        finally:
            held.calls -= 1
        return session_id

    async def run(self, session_id: str, code: str) -> tuple[Outcome, Entry | None]:
        """The outcome, and what to remember of it for a rebuild (None where nothing was committed)."""
        async with self._turn(session_id) as session:
            before = len(session.journal)
            outcome = await session.run(code)
            entry = session.journal[-1] if len(session.journal) > before else None
        self._metrics.count_run(outcome)
        return outcome, entry

    async def try_all(self, session_id: str, codes: list[str]) -> tuple[list[Outcome], list[Entry]]:
        """The outcomes, and what to remember of each one should it be committed."""
        async with self._turn(session_id) as session:
            outcomes = await session.try_all(codes)
            entries = session.fork_entries()
        for outcome in outcomes:
            self._metrics.count_run(outcome)
        return outcomes, entries

    async def commit(self, session_id: str, index: int) -> None:
        held = self._find(session_id)
        await held.session.commit(index)

    async def close(self, session_id: str) -> None:
        """End a session; one that is not held is none of our business."""
        held = self._sessions.pop(session_id, None)
        self._metrics.set_sessions(len(self._sessions))
        if held:
            await held.session.close()

    async def check_health(self) -> None:
        """Raises SandboxError where a fresh session cannot run code."""
        session = self._sandbox.async_session()
        try:
            async with asyncio.timeout(HEALTH_S):
                outcome = await session.run("1 + 1")
        except TimeoutError:
            raise SandboxError(f"a fresh session did not answer within {HEALTH_S:g} s") from None
        finally:
            await session.close()
        if outcome.value != "2":
            raise SandboxError(f"a fresh session answered {outcome}")

    def load(self) -> dict[str, float]:
        """Sessions held, and programs that wait."""
        return {"sessions": len(self._sessions), "waiting": self._waiting, "pid": os.getpid()}

    @property
    def fullness(self) -> float:
        """The share of the sessions it may hold that this replica holds."""
        return len(self._sessions) / self._config.max_sessions

    def shut_down(self) -> None:
        """End everything at once."""
        if self._expiry:
            self._expiry.cancel()
        self._sandbox.close()

    def _find(self, session_id: str) -> _Held:
        held = self._sessions.get(session_id)
        if held is None:
            raise SessionLostError(f"the session {session_id} is not here: it expired, or its replica died")
        held.used_at = time.monotonic()
        return held

    @contextlib.asynccontextmanager
    async def _turn(self, session_id: str) -> AsyncIterator[AsyncSession]:
        """Wait for a turn to run code. Raises BusyError at the bound of those who wait."""
        held = self._find(session_id)
        if self._waiting >= self._config.max_queued:
            self._metrics.count_busy()
            raise BusyError(f"{self._waiting} programs wait already; try again")
        held.calls += 1
        asked = time.monotonic()
        self._waiting += 1
        try:
            try:
                await self._turns.acquire()
            finally:
                self._waiting -= 1
            self._metrics.observe_wait(time.monotonic() - asked)
            try:
                yield held.session
            finally:
                self._turns.release()
        finally:
            held.calls -= 1
            held.used_at = time.monotonic()

    async def _expire(self) -> None:
        while True:
            await asyncio.sleep(min(self._config.idle_s / 4, 30.0))
            oldest = time.monotonic() - self._config.idle_s
            for session_id, held in list(self._sessions.items()):
                if held.calls == 0 and held.used_at < oldest:
                    self._metrics.count_expired()  # before it is gone from the figures: closing may take a while
                    await self.close(session_id)
