"""The life of a session's process after its fork from the warm one: run code, call tools, fork candidates."""

from __future__ import annotations

import builtins
import contextlib
import gc
import json
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

from agentdistill.sandbox import system
from agentdistill.sandbox.inside.capture import Capture
from agentdistill.sandbox.inside.execute import Interpreter, Interrupted, ValueLimit
from agentdistill.sandbox.inside.link import Link

#: The host sends this signal when a limit is reached; code that survives it is killed a moment later.
INTERRUPT_SIGNAL = signal.SIGUSR1


class ToolError(Exception):
    """A tool failed, or refused its arguments."""


class Session:
    """The process of one session, or of one fork of it."""

    def __init__(self, sock: socket.socket, limits: dict[str, Any], tools: list[str], folder: str) -> None:
        self.pid = os.getpid()  # code may fork too: such a child is not the session and does not speak for it
        self.folder = folder  # holds one folder for the session, and one for each fork
        self._work_in("0")
        self.link = Link(sock)
        self.limits = limits
        self.capture = Capture(limits["output_chars"], self._emit)
        self.interpreter = Interpreter(self.capture, limits["value_chars"])
        self.calls = 0
        self.tools_s = 0.0
        names = self.interpreter.names
        names["final_answer"] = self.interpreter.final_answer
        for name in tools:
            names[name] = self._stub(name)

    def serve(self) -> None:
        """Answer commands until the host closes the pipe. Does not return."""
        sys.stdout = sys.stderr = self.capture
        sys.__stdout__ = sys.__stderr__ = self.capture  # type: ignore[misc, assignment]
        signal.signal(INTERRUPT_SIGNAL, self._on_interrupt)
        self.link.send({"op": "hello"})
        while True:
            try:
                command = self.link.command()
            except (EOFError, OSError):
                os._exit(0)
            if command["op"] == "run":
                self._run(command["code"], command["id"])
            elif command["op"] == "fork":
                self._fork(command["count"])

    def _work_in(self, name: str) -> None:
        self.work = os.path.join(self.folder, name)
        os.mkdir(self.work, 0o700)
        os.chdir(self.work)

    def _tidy(self) -> None:
        """Remove the folders of forks that were not chosen. Only a session about to fork is alone in its own."""
        with contextlib.suppress(OSError):
            for entry in os.scandir(self.folder):
                if entry.path != self.work:
                    shutil.rmtree(entry.path, ignore_errors=True)

    def _reap(self) -> None:
        """Take note of children that ended with their step: until then they count as processes."""
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass

    def _emit(self, text: str) -> None:
        if os.getpid() == self.pid:
            self.link.send({"op": "out", "text": text})

    def _run(self, code: str, number: int) -> None:
        self._reap()
        self.calls, self.tools_s = 0, 0.0
        started = time.monotonic()
        fields = self.interpreter.run(code)
        if os.getpid() != self.pid:
            os._exit(0)
        self.link.interrupt_pending = False
        sys.stdout = sys.stderr = self.capture
        self.link.send(
            {
                "op": "done",
                "id": number,
                **fields,
                "duration_s": time.monotonic() - started,
                "calls": self.calls,
                "tools_s": self.tools_s,
            }
        )

    def _fork(self, count: int) -> None:
        """Fork `count` candidates, each with a pipe of its own that came with the command."""
        self._reap()
        self._tidy()
        fds = [self.link.fds.popleft() for _ in range(count)]
        for index, fd in enumerate(fds):
            try:
                pid = os.fork()
            except OSError as error:
                self.link.send({"op": "fork_failed", "index": index, "message": str(error)})
                continue
            if pid == 0:
                for other in fds[index + 1 :]:
                    os.close(other)
                self._become_fork(fd)
                return
            os.close(fd)
        self.link.send({"op": "forked"})

    def _become_fork(self, fd: int) -> None:
        self.link.replace_socket(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, fd))
        self.pid = os.getpid()
        # What the code leaves behind stays below this process, where the host looks for it; it cannot be undone.
        system.set_child_subreaper()
        before = self.work
        with contextlib.suppress(OSError):
            self._work_in(str(os.getpid()))
            if os.listdir(before):
                shutil.copytree(before, self.work, symlinks=True, dirs_exist_ok=True)
        self.link.send({"op": "hello"})

    def _stub(self, name: str) -> Callable[..., Any]:
        def tool(*args: Any, **kwargs: Any) -> Any:
            return self._call(name, args, kwargs)

        tool.__name__ = tool.__qualname__ = name
        tool.__doc__ = f"Call the tool {name} and return what it answers."
        return tool

    def _call(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if not self.interpreter.busy:
            raise ToolError(f"{name}() can be called only while a step runs")
        if os.getpid() != self.pid:
            raise ToolError(f"{name}() can be called only in the session's own process")
        arguments = _plain([list(args), kwargs], name)
        size = len(json.dumps(arguments))
        if size > self.limits["value_chars"]:
            raise ValueLimit(f"{name}() got {size:,} characters of arguments; at most {self.limits['value_chars']:,}")
        self.calls += 1
        started = time.monotonic()
        self.link.shielded = True
        try:
            answer = self.link.ask({"op": "call", "name": name, "args": arguments[0], "kwargs": arguments[1]})
        finally:
            self.link.shielded = False
            self.tools_s += time.monotonic() - started
        if self.link.interrupt_pending:
            self.link.interrupt_pending = False
            raise Interrupted
        if "error" in answer:
            raise _tool_error(answer["error"])
        return answer["value"]

    def _on_interrupt(self, signum: int, frame: Any) -> None:
        if not self.interpreter.busy:
            return
        if self.link.shielded:
            self.link.interrupt_pending = True
            return
        raise Interrupted


def _plain(value: Any, name: str) -> Any:
    """The arguments as plain data, NumPy scalars and arrays turned into numbers and lists. Raises TypeError."""
    try:
        return json.loads(json.dumps(value, default=_as_plain))
    except TypeError as error:
        raise TypeError(f"{name}() takes plain data (text, numbers, lists, dicts): {error}") from None
    except (ValueError, RecursionError) as error:
        raise TypeError(f"{name}() takes plain data (text, numbers, lists, dicts): {error}") from None


def _as_plain(value: Any) -> Any:
    if isinstance(value, set | frozenset):
        return list(value)
    if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"a value of type {type(value).__name__}")


def _tool_error(error: dict[str, str]) -> Exception:
    """The exception to raise for a tool that failed: the built-in of that name, or one made for it."""
    name, message = error["type"], error["message"]
    kind = getattr(builtins, name, None)
    if not (isinstance(kind, type) and issubclass(kind, Exception) and not issubclass(kind, UnicodeError)):
        kind = type(name, (ToolError,), {"__module__": "__main__"})
    return kind(message)


def warm_up() -> None:
    """Do once what each session does first: the pages that it writes are its own from then on."""
    capture = Capture(100, lambda text: None)
    for code in ("x = 1", "x + 1"):
        Interpreter(capture, 100).run(code)
    gc.enable()


def main(sock: socket.socket, limits: dict[str, Any], tools: list[str], folder: str) -> None:
    """Be a session until the host closes the pipe. Does not return."""
    session = Session(sock, limits, tools, folder)
    try:
        session.serve()
    finally:
        os._exit(1)
