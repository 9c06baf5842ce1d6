"""The host's end of a session's pipe, on an asyncio event loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable, Sequence
from typing import Any

from agentdistill.sandbox import wire

_READ_BYTES = 262_144
MESSAGE_BYTES = 4_096  # what a message counts for besides its length: taking it apart costs the host time
_FIRST_ALLOWANCE = 65_536
_MAX_UNSENT = 64 * 2**20
_SO_PASSCRED, _SCM_CREDENTIALS = 16, 2
_CREDENTIALS = struct.Struct("3i")


class Channel:
    """Sends frames; hands each frame that arrives to `on_message`, and the end of the stream to `on_end`."""

    def __init__(self, on_message: Callable[[dict[str, Any]], None], on_end: Callable[[str], None]) -> None:
        self._on_message, self._on_end = on_message, on_end
        self._loop = asyncio.get_running_loop()
        self._sock, self.peer = socket.socketpair()
        self._sock.setblocking(False)
        pass_credentials(self._sock)
        self._decoder = wire.Decoder()
        self._unsent = bytearray()
        self._open = True
        self.allowance = _FIRST_ALLOWANCE  # bytes that the other side may still send: a flood ends it, not us
        self.pid = 0  # of the process that writes, as the kernel says
        self._loop.add_reader(self._sock.fileno(), self._readable)

    def send(self, message: dict[str, Any], fds: Sequence[int] = ()) -> None:
        """Queue a frame; never blocks. Descriptors go with it."""
        if not self._open:
            return
        data = wire.encode(message)
        if fds:
            assert not self._unsent, "descriptors are sent only while nothing waits"
            try:
                data = data[socket.send_fds(self._sock, [data], list(fds)) :]
            except OSError:
                self._end("its pipe closed")
                return
        waiting = bool(self._unsent)
        self._unsent += data
        if len(self._unsent) > _MAX_UNSENT:
            self._end("it does not read what it asked for")
            return
        if not waiting:
            self._flush()

    def _flush(self) -> None:
        try:
            while self._unsent:
                del self._unsent[: self._sock.send(self._unsent)]
        except BlockingIOError:
            self._loop.add_writer(self._sock.fileno(), self._flush)
            return
        except OSError:
            self._unsent.clear()
        if self._open:
            self._loop.remove_writer(self._sock.fileno())

    def _readable(self) -> None:
        try:
            data, pid = receive_with_pid(self._sock, _READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data, pid = b"", 0
        if not data:
            self._end("its pipe closed")
            return
        self.pid = self.pid or pid
        self.allowance -= len(data)
        try:
            for message in self._decoder.feed(data):
                self.allowance -= MESSAGE_BYTES
                self._on_message(message)
        except (wire.ProtocolError, LookupError, TypeError, ValueError) as error:
            self._end(f"it broke the protocol: {error}")
        if self.allowance < 0:
            self._end("it sent more than a step needs")

    def _end(self, why: str) -> None:
        if self._open:
            self.close()
            self._on_end(why)

    def close(self) -> None:
        """Close this end. Safe to call twice."""
        if self._open:
            self._open = False
            self._loop.remove_reader(self._sock.fileno())
            self._loop.remove_writer(self._sock.fileno())
            self._sock.close()
        with contextlib.suppress(OSError):
            self.peer.close()


def namespace_pid(pid: int) -> int:
    """The pid that a process has in its own innermost pid namespace. Raises ProcessLookupError."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
            for line in file:
                if line.startswith("NSpid:"):
                    return int(line.split()[-1])
    except FileNotFoundError:
        raise ProcessLookupError(f"process {pid} is gone") from None
    return pid


def pass_credentials(sock: socket.socket) -> None:
    """Let the kernel state, with each message, which process wrote it."""
    sock.setsockopt(socket.SOL_SOCKET, _SO_PASSCRED, 1)


def receive_with_pid(sock: socket.socket, size: int) -> tuple[bytes, int]:
    """(data, pid of the writer in this process's namespace); the kernel states the pid, the writer cannot."""
    data, ancillary, _, _ = sock.recvmsg(size, socket.CMSG_SPACE(_CREDENTIALS.size))
    pids = [_CREDENTIALS.unpack(payload)[0] for _, kind, payload in ancillary if kind == _SCM_CREDENTIALS]
    return data, pids[0] if pids else 0
