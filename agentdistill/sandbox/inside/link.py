"""The session's end of its pipe to the host: commands in, tool calls and outcomes out. Runs inside the session.

Several threads of the session may call tools at once. One of them reads for all; the others wait for their answer.
"""

from __future__ import annotations

import array
import os
import socket
import threading
from collections import deque
from typing import Any

from agentdistill.sandbox import wire

_READ_BYTES = 65_536
_MAX_FDS = 64


class Link:
    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.reset_locks()
        self.fds: deque[int] = deque()  # descriptors that came with commands
        self._decoder = wire.Decoder()
        self._commands: deque[dict[str, Any]] = deque()
        self._answers: dict[int, dict[str, Any]] = {}
        self._calls = 0
        self.shielded = False  # an interrupt now would tear a message apart
        self.interrupt_pending = False

    def reset_locks(self) -> None:
        self._turn = threading.Condition()
        self._reading = False
        self._write_lock = threading.Lock()

    def replace_socket(self, sock: socket.socket) -> None:
        """Go on as a fork, with its own pipe."""
        self.sock.close()
        self.sock = sock
        self._decoder = wire.Decoder()
        self._commands.clear()
        self._answers.clear()
        self.fds.clear()
        self.reset_locks()

    def send(self, message: dict[str, Any]) -> None:
        data = memoryview(wire.encode(message))
        with self._write_lock:
            while data:
                data = data[os.write(self.sock.fileno(), data) :]

    def command(self) -> dict[str, Any]:
        """The next command. Raises EOFError when the host has gone."""
        return self._wait(lambda: self._commands.popleft() if self._commands else None)

    def ask(self, message: dict[str, Any]) -> dict[str, Any]:
        """Send a call and return its answer."""
        with self._turn:
            self._calls += 1
            call = self._calls
        self.send({**message, "call": call})
        return self._wait(lambda: self._answers.pop(call, None))

    def _wait(self, take: Any) -> dict[str, Any]:
        while True:
            with self._turn:
                while (found := take()) is None and self._reading:
                    self._turn.wait()
                if found is not None:
                    return found
                self._reading = True
            try:
                self._read()
            finally:
                with self._turn:
                    self._reading = False
                    self._turn.notify_all()

    def _read(self) -> None:
        data, ancillary, _, _ = self.sock.recvmsg(_READ_BYTES, socket.CMSG_SPACE(4 * _MAX_FDS))
        if not data:
            raise EOFError("the host has gone")
        for level, kind, payload in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                fds = array.array("i")
                fds.frombytes(payload[: len(payload) // fds.itemsize * fds.itemsize])
                self.fds.extend(fds)
        for message in self._decoder.feed(data):
            if "answer" in message:
                self._answers[message["answer"]] = message
            else:
                self._commands.append(message)
