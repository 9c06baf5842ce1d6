"""asyncio without sockets: its event loop wakes itself through a socket pair, and sessions may make no socket."""

from __future__ import annotations

import os
import socket
from typing import Any


class _PipeEnd:
    """As much of a socket as an event loop's wake-up needs."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def fileno(self) -> int:
        return self._fd

    def setblocking(self, flag: bool) -> None:
        os.set_blocking(self._fd, flag)

    def recv(self, size: int) -> bytes:
        return os.read(self._fd, size)

    def send(self, data: bytes) -> int:
        return os.write(self._fd, data)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def pipe_pair(*_: Any) -> tuple[_PipeEnd, _PipeEnd]:
    """A reading and a writing end, in place of `socket.socketpair()`."""
    reading, writing = os.pipe()
    return _PipeEnd(reading), _PipeEnd(writing)


def install() -> None:
    """Let asyncio's event loops start in this process and its forks."""
    socket.socketpair = pipe_pair  # type: ignore[assignment]
