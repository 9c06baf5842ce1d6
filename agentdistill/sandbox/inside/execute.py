"""Run one piece of code in a session's namespace and say what came of it. Runs inside the session."""

from __future__ import annotations

import ast
import builtins
import errno
import gc
import linecache
import sys
import traceback
import types
from typing import Any

from agentdistill.sandbox.inside.capture import Capture, OutputLimit, cut

MESSAGE_CHARS = 4_000
_FILE_PREFIX = "<step "


class FinalAnswer(BaseException):
    """final_answer(x) was called: the code ends here."""


class ValueLimit(BaseException):
    """A final answer or the arguments of a tool call are larger than allowed."""


class Interrupted(BaseException):
    """The host asks the code to stop because a limit is reached."""


class Interpreter:
    """One namespace and the code that runs in it."""

    def __init__(self, capture: Capture, value_chars: int) -> None:
        self.capture, self.value_chars = capture, value_chars
        self.steps = 0
        self.busy = False  # the code runs now: an interrupt may raise
        self.final: str | None = None
        module = types.ModuleType("__main__")
        module.__builtins__ = builtins  # type: ignore[attr-defined]
        sys.modules["__main__"] = module
        self.names: dict[str, Any] = module.__dict__

    def final_answer(self, answer: Any = None) -> None:
        """Give the final answer; the code ends here."""
        text = answer if isinstance(answer, str) else str(answer)
        if len(text) > self.value_chars:
            raise ValueLimit(f"the final answer has {len(text):,} characters; at most {self.value_chars:,} are taken")
        self.final = text
        raise FinalAnswer

    def run(self, code: str) -> dict[str, Any]:
        """The fields of an Outcome as plain data, without times."""
        self.steps += 1
        self.final = None
        self.capture.reset()
        value, error, limit = None, None, None
        try:
            self.busy = True
            try:
                value = self._execute(code, f"{_FILE_PREFIX}{self.steps}>")
            finally:
                self.busy = False
        except FinalAnswer:
            pass
        except BaseException as raised:
            self.busy = False
            limit, error = classify(raised), describe_raised(raised)
            _drop_frames(raised)
        return {
            "stdout": self.capture.text(),
            "value": value,
            "error": error,
            "limit": limit,
            "final": self.final,
        }

    def _execute(self, code: str, filename: str) -> str | None:
        tree = ast.parse(code, filename)
        linecache.cache[filename] = (len(code), None, code.splitlines(keepends=True), filename)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, filename, "exec"), self.names)
        if last is None:
            return None
        value = eval(compile(ast.Expression(last.value), filename, "eval"), self.names)  # type: ignore[attr-defined]
        if value is None:
            return None
        return cut(str(repr(value)), self.value_chars)


def classify(raised: BaseException) -> str | None:
    """Which limit an exception stands for, if any."""
    if isinstance(raised, MemoryError):
        return "memory"
    if isinstance(raised, OutputLimit):
        return "output"
    if isinstance(raised, ValueLimit):
        return "value"
    if isinstance(raised, OSError):
        if raised.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EMFILE):
            return "files"
        if raised.errno == errno.EAGAIN and isinstance(raised, BlockingIOError):
            return "processes"
        if raised.errno == errno.ENOMEM:
            return "memory"
    if isinstance(raised, RuntimeError) and "can't start new thread" in str(raised):
        return "processes"
    return None


def describe_raised(raised: BaseException) -> dict[str, str]:
    """Type, message and own traceback of what the code raised."""
    return {
        "type": str(type(raised).__name__)[:200],
        "message": _message(raised),
        "traceback": _traceback(raised),
    }


def _message(raised: BaseException) -> str:
    try:
        if isinstance(raised, OutputLimit):
            return "the code printed far more than is kept"
        if isinstance(raised, SyntaxError) and raised.lineno is not None:
            return cut(f"{raised.msg} (line {raised.lineno})", MESSAGE_CHARS)
        return cut(str(raised), MESSAGE_CHARS)
    except BaseException as second:
        return f"<its message could not be shown: {type(second).__name__}>"


def _traceback(raised: BaseException) -> str:
    try:
        frames = [
            frame for frame in traceback.extract_tb(raised.__traceback__) if frame.filename.startswith(_FILE_PREFIX)
        ]
        return cut("".join(traceback.format_list(frames[-20:])), MESSAGE_CHARS)
    except BaseException as second:
        return f"<no traceback: {type(second).__name__}>"


def _drop_frames(raised: BaseException) -> None:
    """Let go of what the frames of a failed run hold: after a MemoryError that is the memory to go on with."""
    try:
        traceback.clear_frames(raised.__traceback__)
        raised.__traceback__ = None
        if isinstance(raised, MemoryError):
            gc.collect()
    except BaseException:
        return
