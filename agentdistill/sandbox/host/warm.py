"""The host's end of one warm process, and each session's seat at it."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import logging
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agentdistill.errors import SandboxError
from agentdistill.sandbox.host import folders
from agentdistill.sandbox.host.channel import namespace_pid, pass_credentials, receive_with_pid

_LOG = logging.getLogger(__name__)
START_S = 120.0
END_S = 10.0
_PREFIX = "agentdistill-sessions-"
_MESSAGE_BYTES = 65_536
_BOOT = "import sys; sys.path.insert(0, {path!r}); from agentdistill.sandbox.inside.zygote import main; main()"


class Seat:
    """A session's place at a warm process: its number there, and the process group that it is."""

    def __init__(self, warm: Warm, number: int) -> None:
        self._warm, self._number = warm, number
        self._group = 0

    @property
    def folder(self) -> Path | None:
        """Where the session's files are to be counted; None where the kernel does it."""
        return None if self._warm.namespaces else self._warm.root / str(self._number)

    def occupy(self, pid: int) -> None:
        """The session's first process is there; the group that it leads has to end with the warm process."""
        self._group = pid
        self._warm.groups.add(pid)

    def commit(self, pid: int) -> None:
        """Tell the warm process that the session is held by the fork `pid` from now on."""
        with contextlib.suppress(ProcessLookupError):
            self._warm.send({"op": "commit", "session": self._number, "pid": namespace_pid(pid)})

    async def leave(self) -> str:
        """End the session; returns, when its processes and files are gone, how its process ended if by itself."""
        try:
            return await self._warm.bury(self._number)
        finally:
            self._warm.groups.discard(self._group)


class Warm:
    """One warm process, started. Raises SandboxError where it could not."""

    def __init__(self, settings: dict[str, Any]) -> None:
        folders.sweep(_PREFIX)
        self.root, self._hold = folders.make_held(_PREFIX)
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pass_credentials(self._control)
        self._numbers = 0
        self._lock = threading.Lock()
        self._burials: dict[int, tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = {}
        self._deaths: dict[int, str] = {}  # session number -> how its process ended
        self.groups: set[int] = set()
        self.pid = 0  # of the warm process, in the host's namespace
        self.namespaces = False
        self.alive = True
        self._guard, guard = os.pipe()  # the guardian holds the other end, and nobody else does
        _exec(theirs.fileno(), guard, self._hold, {**settings, "root": str(self.root)})
        theirs.close()
        os.close(guard)
        self._wait_ready()
        self._reader = threading.Thread(target=self._read, name="sandbox-control", daemon=True)
        self._reader.start()

    def _wait_ready(self) -> None:
        guardian, message = 0, {"op": "failed", "message": "it ended, or did not answer in time"}
        self._control.settimeout(START_S)
        with contextlib.suppress(TimeoutError):
            _, guardian = receive_with_pid(self._control, _MESSAGE_BYTES)
            answer, self.pid = receive_with_pid(self._control, _MESSAGE_BYTES)
            message = json.loads(answer) if answer else message
        self._control.settimeout(None)
        if message["op"] != "ready":
            self.alive = False
            self._control.close()
            if not self._wait_end() and guardian:
                os.kill(guardian, signal.SIGKILL)
            self._remove_root()
            raise SandboxError(f"the sandbox's warm process could not start: {message['message']}")
        self.namespaces = not message["namespaces_why"]
        if not self.namespaces:
            _log_once(f"no user namespaces here, sessions are held by the other layers ({message['namespaces_why']})")
        for lack in message["missing"]:
            _LOG.warning("lockdown=relaxed: sessions run without %s", lack)

    @property
    def usable(self) -> bool:
        """Whether it can fork sessions: it lives, and nobody (a cleaner of /tmp, say) has removed its folder."""
        return self.alive and self.root.is_dir()

    def send(self, message: dict[str, Any], fds: Sequence[int] = ()) -> None:
        """Raises ProcessLookupError where the warm process is gone."""
        try:
            with self._lock:
                socket.send_fds(self._control, [json.dumps(message).encode()], list(fds))
        except OSError as error:
            self.alive = False
            raise ProcessLookupError(f"the sandbox's warm process is gone: {error}") from None

    def spawn(self, fd: int, tools: list[str]) -> Seat:
        """Have a session forked whose pipe is `fd`. Raises ProcessLookupError where the warm process is gone."""
        with self._lock:
            self._numbers += 1
            number = self._numbers
        self.send({"op": "open", "session": number, "tools": tools}, [fd])
        return Seat(self, number)

    async def bury(self, number: int) -> str:
        """End a session, wait until nothing is left of it, and return how its process ended if by itself."""
        loop = asyncio.get_running_loop()
        gone: asyncio.Future[None] = loop.create_future()
        self._burials[number] = (loop, gone)
        try:
            if self.alive:
                self.send({"op": "close", "session": number})
                await gone
        except ProcessLookupError:
            pass
        finally:
            self._burials.pop(number, None)
        if not self.namespaces:
            await _remove(self.root / str(number))
        return self._deaths.pop(number, "")

    def close(self) -> None:
        """End the warm process, and with it every session."""
        self.alive = False
        with contextlib.suppress(OSError):
            self._control.shutdown(socket.SHUT_RDWR)
        if not self._wait_end() and self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        self._reader.join()
        self._control.close()
        self._remove_root()

    def _wait_end(self) -> bool:
        """Wait until the guardian is done: no process and no file is left then. False where that takes too long."""
        ended = bool(select.select([self._guard], [], [], END_S)[0])
        os.close(self._guard)
        return ended

    def _remove_root(self) -> None:
        folders.remove(str(self.root))
        os.close(self._hold)

    def _read(self) -> None:
        """Hand the warm process's notices to the loops that wait for them. A thread."""
        while True:
            try:
                data = self._control.recv(_MESSAGE_BYTES)
            except OSError:
                data = b""
            if not data:
                break
            message = json.loads(data)
            if message["op"] == "closed":
                self._resolve(message["session"])
            elif message["op"] == "dead":
                self._deaths[message["session"]] = _describe_death(message["code"], message["status"])
            elif message["op"] == "not_forked":
                self._deaths[message["session"]] = f"before it began, for it could not be forked: {message['message']}"
        self.alive = False
        for group in list(self.groups):
            with contextlib.suppress(OSError):
                os.killpg(group, signal.SIGKILL)
        for number in list(self._burials):
            self._resolve(number)

    def _resolve(self, number: int) -> None:
        entry = self._burials.pop(number, None)
        if entry:
            loop, gone = entry
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(_settle, gone)


@functools.cache
def _log_once(text: str) -> None:
    _LOG.info(text)


def _settle(gone: asyncio.Future[None]) -> None:
    if not gone.done():
        gone.set_result(None)


def _describe_death(code: int, status: int) -> str:
    """In words, from waitid's si_code and si_status."""
    if code == os.CLD_EXITED:
        return f"with exit status {status}"
    try:
        return f"by the signal {signal.Signals(status).name}"
    except ValueError:
        return f"by the signal {status}"


def _exec(control: int, guard: int, hold: int, settings: dict[str, Any]) -> None:
    """Start the guardian, which starts the warm process. It is no child of ours: Ray ends those with their worker."""
    package_parent = str(Path(__file__).resolve().parents[3])
    environment = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    environment["MALLOC_ARENA_MAX"] = "2"
    if "LD_LIBRARY_PATH" in os.environ:
        environment["LD_LIBRARY_PATH"] = os.environ["LD_LIBRARY_PATH"]
    boot = _BOOT.format(path=package_parent)
    subprocess.run(
        [sys.executable, "-I", "-c", boot, str(control), str(guard), json.dumps(settings)],
        env=environment,
        pass_fds=[control, guard, hold],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
        check=False,
    )


async def _remove(folder: Path) -> None:
    try:
        os.rmdir(folder)
    except FileNotFoundError:
        return
    except OSError:
        await asyncio.to_thread(folders.remove, str(folder))
