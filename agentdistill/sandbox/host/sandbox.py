"""The sandbox: sessions, and the warm process that they are forked from."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from agentdistill.errors import SandboxError
from agentdistill.sandbox.host.limits import Limits, check_limits
from agentdistill.sandbox.host.process import Process
from agentdistill.sandbox.host.session import AsyncSession
from agentdistill.sandbox.host.sync import LoopThread, Session
from agentdistill.sandbox.host.warm import Seat, Warm

if TYPE_CHECKING:
    from agentdistill.config.sandbox import SandboxConfig

_LOG = logging.getLogger(__name__)
DEFAULT_PRELOAD = ("numpy", "sympy", "pandas", "scipy")


class Sandbox:
    """Python sessions that cannot hurt the host. Starts its warm process at first use; thread-safe.

    `preload` names the modules that every session finds imported; `blocked_imports` those it may not import.
    `lockdown`: with "required", a kernel that lacks what a session needs is an error; with "relaxed" a warning.
    `namespaces`: use user namespaces on top, where they are allowed. `spares`: processes that are forked ahead.
    """

    @classmethod
    def from_config(cls, config: SandboxConfig) -> Self:
        """The sandbox that a config section describes."""
        return cls(
            config.limits,
            preload=config.preload,
            blocked_imports=config.blocked_imports,
            lockdown=config.lockdown,
            namespaces=config.namespaces,
        )

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        preload: Sequence[str] = DEFAULT_PRELOAD,
        blocked_imports: Sequence[str] = (),
        lockdown: str = "required",
        namespaces: bool = True,
        spares: int = 2,
    ) -> None:
        if lockdown not in ("required", "relaxed"):
            raise ValueError(f"lockdown={lockdown!r}; expected required or relaxed")
        self.limits = limits or Limits()
        check_limits(self.limits)
        self._settings = {
            "preload": list(preload),
            "blocked_imports": list(blocked_imports),
            "required": lockdown == "required",
            "namespaces": namespaces,
            "limits": dataclasses.asdict(self.limits),
            "spares": spares,
        }
        self._lock = threading.Lock()
        self._warm: Warm | None = None
        self._thread: LoopThread | None = None
        self._closed = False

    def session(self, tools: Mapping[str, Callable[..., Any]] | None = None) -> Session:
        """A session for code without an event loop; tools run on threads of the sandbox. Raises SandboxError."""
        with self._lock:
            if self._thread is None:
                self._thread = LoopThread()
        return Session(self.async_session(tools), self._thread)

    def async_session(self, tools: Mapping[str, Callable[..., Any]] | None = None) -> AsyncSession:
        """A session for the running event loop, where async tools run too; it opens at its first use."""
        return AsyncSession(self, tools or {})

    @property
    def warm_pid(self) -> int:
        """The warm process's id, 0 where it does not run."""
        return self._warm.pid if self._warm and self._warm.alive else 0

    @property
    def namespaces(self) -> bool:
        """Whether the sandbox runs in namespaces of its own."""
        return self._warm is not None and self._warm.namespaces

    @property
    def folder(self) -> str:
        """Where the sessions' folders are made. Raises SandboxError where the sandbox does not run."""
        if self._warm is None:
            raise SandboxError("the sandbox does not run")
        return str(self._warm.root)

    def start(self) -> None:
        """Start the warm process if it does not run. Raises SandboxError; blocks for the time of the imports."""
        self._running()

    def _running(self) -> Warm:
        with self._lock:
            if self._closed:
                raise SandboxError("the sandbox is closed")
            if self._warm is None or not self._warm.usable:
                before, self._warm = self._warm, None
                if before:
                    if before.alive:
                        _LOG.warning("%s is gone, with all sessions: starting anew", before.root)
                    before.close()
                self._warm = Warm(self._settings)
            return self._warm

    def close(self) -> None:
        """End every session and the warm process. Safe to call twice."""
        with self._lock:
            self._closed = True
            if self._warm:
                self._warm.close()
            if self._thread:
                self._thread.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def spawn(self, process: Process, tools: list[str]) -> Seat:
        """Fork a session whose pipe is that of `process`.

        Raises SandboxError where no warm process can be started, ProcessLookupError where it died just now.
        """
        warm = self._warm
        if warm is None or not warm.usable:
            warm = await asyncio.to_thread(self._running)
        seat = warm.spawn(process.channel.peer.fileno(), tools)
        process.channel.peer.close()
        process.folder = seat.folder
        return seat
