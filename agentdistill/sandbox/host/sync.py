"""A session for code without an event loop: the same session, driven from a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

from agentdistill.sandbox.host.session import AsyncSession
from agentdistill.types import Outcome

T = TypeVar("T")


class LoopThread:
    """An event loop on a daemon thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sandbox-sessions", daemon=True)
        self._thread.start()

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def close(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()


class Session:
    """One interpreter state. Opens when it is made."""

    def __init__(self, inner: AsyncSession, thread: LoopThread) -> None:
        self._inner, self._thread = inner, thread
        self._thread.call(inner.open())

    def run(self, code: str) -> Outcome:
        """Run code in the session. Raises SandboxError, never for what the code did."""
        return self._thread.call(self._inner.run(code))

    def try_all(self, codes: list[str]) -> list[Outcome]:
        """Run each code in a fork of the session, all at once; the session is unchanged. Raises SandboxError."""
        return self._thread.call(self._inner.try_all(codes))

    def commit(self, index: int) -> None:
        """Make fork `index` of the last try_all the session. Raises IndexError, SessionLostError."""
        self._thread.call(self._inner.commit(index))

    def close(self) -> None:
        """End the session: when this returns, none of its processes and files is left. Safe to call twice."""
        self._thread.call(self._inner.close())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
