"""The service's client: sessions that live on a replica, outlive it, and wait where it is busy."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from agentdistill.errors import AgentDistillError, BusyError, SandboxError, SessionLostError
from agentdistill.handles import Application, cause, dropped_by_serve
from agentdistill.sandbox.host.session import Entry
from agentdistill.types import Outcome

FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 2.0
REBUILDS = 5  # of one session in one call


class ServiceSandbox:
    """Opens sessions at the service. Picklable: send it to any worker of the cluster."""

    def __init__(self, app: str | Any = "sandbox", patience_s: float = 120.0) -> None:
        """`app`: the Serve application's name, or a DeploymentHandle. `patience_s`: how long a call asks again."""
        self._app = Application(app)
        self.patience_s = patience_s

    def session(self, tools: Sequence[str] | None = None) -> ServiceSession:
        """A session with these tools of the service (None: all of them); it opens at its first use."""
        return ServiceSession(self, tools)

    async def call(self, method: str, *args: Any) -> Any:
        """One request. Raises BusyError, SessionLostError (also where the replica died), SandboxError."""
        try:
            return await getattr(self._app.handle, method).remote(*args)
        except asyncio.CancelledError:
            if not dropped_by_serve():
                raise
            raise SessionLostError("the replica that held the session died") from None
        except Exception as error:
            raise _translated(error) from error


class ServiceSession:
    """Satisfies `agentdistill.types.CodeSession`.

    Keeps the code that was committed and what its tools answered. Where the replica dies, or the session expired, the
    state is made again on another replica by running that code again, its tools answered from the record.
    """

    def __init__(self, service: ServiceSandbox, tools: Sequence[str] | None) -> None:
        self._service, self._tools = service, tools
        self._id = ""
        self._journal: list[Entry] = []
        self._candidates: list[Entry] = []
        self._lock = asyncio.Lock()
        self._closed = False
        self.rebuilt = 0  # times that the state was made again

    async def run(self, code: str) -> Outcome:
        """Run code in the session. Raises SandboxError, SessionLostError, BusyError; never for what the code did."""
        async with self._lock:
            self._candidates = []
            outcome, entry = await self._insist("run", code)
            if outcome.state_lost:
                self._journal.clear()
            elif entry:
                self._journal.append(entry)
            return outcome

    async def try_all(self, codes: list[str]) -> list[Outcome]:
        """Run each code in a fork of the session; the session is unchanged. Raises like `run`."""
        async with self._lock:
            self._candidates = []
            outcomes, self._candidates = await self._insist("try_all", list(codes))
            return list(outcomes)

    async def commit(self, index: int) -> None:
        """Make fork `index` of the last try_all the session. Raises IndexError, and like `run`."""
        async with self._lock:
            if not 0 <= index < len(self._candidates):
                raise IndexError(f"commit({index}): the last try_all left {len(self._candidates)} forks")
            entry = self._candidates[index]
            self._candidates = []
            held = self._id
            try:
                await self._service.call("commit", self._id, index)
                self._journal.append(entry)
            except SessionLostError:
                # The fork went with its replica: the rebuild runs its code again.
                self._journal.append(entry)
                await self._reopen(held)

    async def close(self) -> None:
        """End the session. Safe to call twice."""
        if self._closed:
            return
        self._closed = True
        async with self._lock:
            if self._id:
                with contextlib.suppress(AgentDistillError):
                    await self._service.call("close", self._id)
                self._id = ""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _insist(self, method: str, argument: Any) -> Any:
        """Call; wait where the service is busy, rebuild where the session is lost."""
        if self._closed:
            raise SandboxError("the session is closed")
        for _ in range(REBUILDS):
            if not self._id:
                await self._reopen("")
            held = self._id
            try:
                return await self._patiently(method, held, argument)
            except SessionLostError:
                await self._reopen(held)
        raise SessionLostError(f"the session was lost {REBUILDS} times in one call; its service is not stable")

    async def _reopen(self, lost: str) -> None:
        """Open a session with the journal's state, anywhere. The code runs again, its tools do not."""
        self._id = ""
        for attempt in range(REBUILDS):
            try:
                self._id = await self._patiently("open", "", self._tools, self._journal)
                break
            except SessionLostError:
                if attempt == REBUILDS - 1:
                    raise
                await asyncio.sleep(_pause(attempt))
        self.rebuilt += bool(lost)

    async def _patiently(self, method: str, *args: Any) -> Any:
        deadline, attempt = time.monotonic() + self._service.patience_s, 0
        while True:
            try:
                return await self._service.call(method, *args)
            except BusyError as error:
                pause_s = _pause(attempt)
                attempt += 1
                if time.monotonic() + pause_s > deadline:
                    raise BusyError(f"{error} (asked again for {self._service.patience_s:g} s)") from error
                await asyncio.sleep(pause_s)


def _pause(attempt: int) -> float:
    """Growing, with jitter: clients that were turned away together do not come back together."""
    return min(FIRST_PAUSE_S * 2**attempt, LONGEST_PAUSE_S) * random.uniform(0.5, 1.5)


def _translated(error: Exception) -> Exception:
    """What a failed call means here: busy, lost with its replica, or a fault of the service."""
    from ray.exceptions import RayActorError
    from ray.serve.exceptions import BackPressureError

    error = cause(error)
    if isinstance(error, AgentDistillError | IndexError):
        return error
    if isinstance(error, BackPressureError):
        return BusyError(f"the sandbox's queue is full: {error}")
    if isinstance(error, RayActorError):
        return SessionLostError(f"the replica that held the session died: {str(error).strip()[:300]}")
    return SandboxError(f"the sandbox service failed: {type(error).__name__}: {str(error).strip()[:300]}")
