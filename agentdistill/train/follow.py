"""The progress of a run that other processes make, as its `metrics.jsonl` grows."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path

from agentdistill.train.metrics import StepMetrics
from agentdistill.train.spec import OnProgress


class MetricsTail:
    """Reads what a `metrics.jsonl` gained since the last time."""

    def __init__(self, path: Path):
        self._path = path
        self._place = 0  # bytes read so far
        self._last = b""  # the line that ends there

    def read(self) -> list[StepMetrics]:
        """Return the steps of the lines that are new and whole: all of them again where the file was rewritten."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._place - len(self._last))
            if file.read(len(self._last)) != self._last:  # a resumed run has replaced lines
                self._place, self._last = 0, b""
                file.seek(0)
            new = file.read()
        lines = new[: new.rfind(b"\n") + 1].splitlines(keepends=True)
        if lines:
            self._place += sum(map(len, lines))
            self._last = lines[-1]
        return [StepMetrics(**json.loads(line)) for line in lines if line.strip()]


@contextlib.contextmanager
def follow(path: Path, on_progress: OnProgress | None, every_s: float = 0.5) -> Iterator[None]:
    """Call `on_progress`, in a thread, for each step that is logged at `path` meanwhile, once and in order."""
    if on_progress is None:
        yield
        return
    follower = _Follower(MetricsTail(path), on_progress)
    done = threading.Event()
    thread = threading.Thread(target=follower.run, args=(done, every_s), name="train-progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        follower.poll()


class _Follower:
    def __init__(self, tail: MetricsTail, on_progress: OnProgress):
        self._tail, self._on_progress = tail, on_progress
        self._seen = max((metrics.step for metrics in tail.read()), default=0)

    def run(self, done: threading.Event, every_s: float) -> None:
        while not done.wait(every_s):
            self.poll()

    def poll(self) -> None:
        for metrics in self._tail.read():
            if metrics.step > self._seen:
                self._seen = metrics.step
                self._on_progress(metrics)
