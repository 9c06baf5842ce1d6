"""What the user sees: our own lines on the terminal, everybody else's in the run's log file.

Ray, vLLM and DeepSpeed write to file descriptors 1 and 2, from this process and (forwarded) from workers. While
`quiet_logs` is open both descriptors lead to a file, and the console keeps the terminal through a duplicate.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

#: Outside a terminal nobody says how wide it is, and rich's 80 columns cut the table of results.
_PLAIN_WIDTH = 100

console = Console(highlight=False, width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else _PLAIN_WIDTH)
error_console = Console(stderr=True, highlight=False)

_PLAIN_INTERVAL_S = 15.0


@contextlib.contextmanager
def quiet_logs(path: Path | None, verbose: bool) -> Iterator[None]:
    """Send what others print to `path` (appended); with `verbose` or without a path, change nothing."""
    if verbose or path is None:
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    saved = os.dup(1), os.dup(2)
    was_terminal = os.isatty(saved[0])
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    terminals = os.fdopen(os.dup(saved[0]), "w", buffering=1), os.fdopen(os.dup(saved[1]), "w", buffering=1)
    try:
        os.dup2(log, 1)
        os.dup2(log, 2)
        with _redirect(console, terminals[0], was_terminal), _redirect(error_console, terminals[1], was_terminal):
            yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os.dup2(saved[0], 1)
        os.dup2(saved[1], 2)
        for descriptor in (*saved, log):
            os.close(descriptor)
        for terminal in terminals:
            terminal.close()


@contextlib.contextmanager
def _redirect(target: Console, stream: TextIO, is_terminal: bool) -> Iterator[None]:
    target.file = stream
    try:
        yield
    finally:
        target.file = None  # type: ignore[assignment]  # it follows sys.stdout or sys.stderr again, whichever that is


class StageProgress:
    """One stage's progress: a bar on a terminal, a line every 15 s elsewhere; counts, rate and an estimate in both."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._last_line = time.monotonic()
        self._first: tuple[float, float] | None = None  # what was done at the first update, and when that was
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> StageProgress:
        if console.is_terminal:
            self._bar = Progress(
                TextColumn("  {task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[detail]}"),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                console=console,
                transient=True,
            )
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def update(self, done: float, total: float | None, detail: str = "") -> None:
        """Show that `done` of `total` are done; `detail` is a few words (a rate, a loss)."""
        if self._first is None:
            self._first = (done, time.monotonic())
        if self._bar is not None:
            if self._task is None:
                self._task = self._bar.add_task(self._name, total=total, detail=detail)
            self._bar.update(self._task, completed=done, total=total, detail=detail)
        elif time.monotonic() - self._last_line >= _PLAIN_INTERVAL_S:
            self._last_line = time.monotonic()
            console.print(f"  {self._name}: {self._plain(done, total)}{', ' if detail else ''}{detail}")

    def _plain(self, done: float, total: float | None) -> str:
        # From the first update on: what came before it is starting up, and says nothing about the rate.
        first, since = self._first or (0.0, time.monotonic())
        elapsed_s = time.monotonic() - since
        rate = (done - first) / elapsed_s if elapsed_s > 0 else 0.0
        speed = f", {format_rate(rate)}" if rate > 0 else ""
        if total is None:
            return f"{done:g}{speed}"
        left = f", about {format_duration((total - done) / rate)} left" if rate > 0 else ""
        return f"{done:g} of {total:g}{speed}{left}"


def format_rate(per_s: float) -> str:
    """`5.1/s`, or `2.4/min` where that reads better."""
    return f"{per_s:.1f}/s" if per_s >= 0.5 else f"{60 * per_s:.1f}/min"


def format_duration(seconds: float) -> str:
    """`42 s`, `3 min 20 s`, `2 h 5 min`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
