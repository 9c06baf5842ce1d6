"""What a session prints: the head and the tail are kept, and how much lies between is counted."""

from __future__ import annotations

import io
import time
from collections.abc import Callable

#: Printing this many times the kept characters ends the code.
HARD_FACTOR = 100

#: Text is sent to the host while the code runs, so that a killed run still shows it: the first lines at once, then
#: at most this often.
FIRST_LINES = 32
FLUSH_EVERY_S = 0.1


class OutputLimit(BaseException):
    """The code printed far more than is kept."""


class Capture(io.TextIOBase):
    """A text stream for sys.stdout and sys.stderr. Keeps at most `limit` characters."""

    encoding = "utf-8"  # type: ignore[assignment]

    def __init__(self, limit: int, emit: Callable[[str], None]) -> None:
        self._limit, self._emit = limit, emit
        self._head_size = limit // 2
        self._tail_size = limit - self._head_size
        self.reset()

    def reset(self) -> None:
        self._head: list[str] = []
        self._head_left = self._head_size
        self._tail = ""
        self._total = 0
        self._pending: list[str] = []
        self._emit_left = self._limit
        self._lines_left = FIRST_LINES
        self._flushed_at = time.monotonic()

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return False

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() takes text, not {type(text).__name__}")
        size = len(text)
        self._total += size
        self._keep(text)
        self._stream(text)
        if self._total > HARD_FACTOR * self._limit:
            raise OutputLimit
        return size

    def _keep(self, text: str) -> None:
        if self._head_left > 0:
            part, text = text[: self._head_left], text[self._head_left :]
            self._head.append(part)
            self._head_left -= len(part)
        if text:
            self._tail += text[-self._tail_size :]
            if len(self._tail) > 4 * self._tail_size:
                self._tail = self._tail[-self._tail_size :]

    def _stream(self, text: str) -> None:
        if self._emit_left <= 0:
            return
        part = text[: self._emit_left]
        self._emit_left -= len(part)
        self._pending.append(part)
        now = time.monotonic()
        at_once = self._lines_left > 0 and part.endswith("\n")
        if at_once or now - self._flushed_at >= FLUSH_EVERY_S:
            self._flushed_at = now
            self._lines_left -= 1
            self._emit("".join(self._pending))
            self._pending.clear()

    def text(self) -> str:
        """What was printed, with a note where it was cut."""
        head, tail = "".join(self._head), self._tail[-self._tail_size :]
        missing = self._total - len(head) - len(tail)
        if missing <= 0:
            return head + tail
        return f"{head}\n... [{missing:,} characters cut] ...\n{tail}"


def cut(text: str, limit: int) -> str:
    """The text, or its head and tail with a note of how much lies between; at most `limit` characters of it."""
    if len(text) <= limit:
        return text
    head = limit // 2
    tail = limit - head
    return f"{text[:head]}\n... [{len(text) - limit:,} characters cut] ...\n{text[-tail:]}"
