"""Ends the processes of an engine once the process that opened it is gone, however it went.

An engine that computes in processes of its own would outlive an actor that is killed, and keep the memory that the next
one needs. The engine's processes carry a mark in their environment; a small process of its own waits on a pipe that
closes with the actor, and then kills whatever carries the mark. This file is also that process's program.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

VARIABLE = "AGENTDISTILL_ENGINE"
_KILL_S = 30.0  # a killed process may need its time to give back an accelerator's memory
_PAUSE_S = 0.02


class Guardian:
    """Watches over the processes that are started within `marking()`."""

    def __init__(self) -> None:
        self.mark = uuid.uuid4().hex
        # In a session of its own, so that a signal to the actor's group does not end it first; and no child of ours,
        # for Ray ends those first of all where a worker exits in good order.
        starter = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__, self.mark], stdin=subprocess.PIPE, start_new_session=True
        )
        starter.wait()
        assert starter.stdin is not None
        self._pipe = starter.stdin  # its other end is the guardian's

    @contextlib.contextmanager
    def marking(self) -> Iterator[None]:
        """What this process starts meanwhile, and what that starts, carries the mark."""
        os.environ[VARIABLE] = self.mark
        # Without it, a process that changes its title overwrites its environment as others see it.
        os.environ.setdefault("SPT_NOENV", "1")
        try:
            yield
        finally:
            del os.environ[VARIABLE]

    def kill(self) -> None:
        """End the marked processes at once, stopped ones too, and the watch over them."""
        kill_marked(self.mark)
        self._pipe.close()


def kill_marked(mark: str) -> None:
    """Kill every process that carries the mark, until none is left. Finds none where there is no /proc."""
    wanted = f"{VARIABLE}={mark}".encode()
    until = time.monotonic() + _KILL_S
    while found := [pid for pid in _processes() if wanted in _environment(pid)]:
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > until:
            break
        time.sleep(_PAUSE_S)


def _processes() -> list[int]:
    with contextlib.suppress(OSError):
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]
    return []


def _environment(pid: int) -> list[bytes]:
    # Empty for what ended meanwhile, a zombie, and another user's process.
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return []


if __name__ == "__main__":
    if os.fork():
        os._exit(0)
    sys.stdin.buffer.read()
    kill_marked(sys.argv[1])
