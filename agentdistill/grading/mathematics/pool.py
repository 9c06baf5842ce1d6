"""A few worker processes for mathematical comparisons: started when first needed, restarted when one dies."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from pathlib import Path
from typing import IO

import agentdistill
from agentdistill.errors import GradingError
from agentdistill.grading.mathematics.process import Comparison, Verdict

_BATCH = 64
_STARTS_A_BATCH = 3
_CLOSED = "the grader was closed while it compared"
#: Not `-m`: the package has imported the module already, and runpy warns about a second copy.
_MAIN = "from agentdistill.grading.mathematics.process import main; main()"


class MathWorkers:
    """`compare_many` from any thread; `close` (or the end of the program) ends the processes."""

    def __init__(self, num_workers: int, limit_s: float, memory_mb: int) -> None:
        self._limit_s = limit_s
        self._memory_mb = memory_mb
        self._idle: queue.SimpleQueue[_Worker | None] = queue.SimpleQueue()
        for _ in range(num_workers):
            self._idle.put(None)
        self._threads = ThreadPoolExecutor(num_workers, thread_name_prefix="math-grading")
        self._alive: set[_Worker] = set()
        self._closed = threading.Event()

    def compare_many(self, comparisons: Sequence[Comparison]) -> list[Verdict]:
        """The verdicts in order. Raises GradingError where workers cannot be kept alive, or were closed meanwhile."""
        batches = [list(comparisons[start : start + _BATCH]) for start in range(0, len(comparisons), _BATCH)]
        try:
            return [verdict for verdicts in self._threads.map(self._run, batches) for verdict in verdicts]
        except (CancelledError, RuntimeError) as error:
            # Of the pool of threads: a batch that had not begun when it was closed, or came later.
            if self._closed.is_set() and not isinstance(error, GradingError):
                raise GradingError(_CLOSED) from error
            raise

    def close(self) -> None:
        """End the processes, in the middle of a comparison too."""
        self._closed.set()
        for worker in tuple(self._alive):
            worker.kill()
        self._threads.shutdown(cancel_futures=True)
        for worker in tuple(self._alive):
            self._end(worker)

    def _run(self, batch: list[Comparison]) -> list[Verdict]:
        worker = self._idle.get()
        try:
            for _ in range(_STARTS_A_BATCH):
                worker = worker or self._start()
                verdicts = worker.run(batch)
                if verdicts is not None:
                    return verdicts
                self._end(worker)
                worker = None
            raise GradingError(f"the comparing process died {_STARTS_A_BATCH} times over the same comparisons")
        finally:
            self._idle.put(worker)

    def _start(self) -> _Worker:
        if self._closed.is_set():
            raise GradingError(_CLOSED)
        worker = _Worker(self._limit_s, self._memory_mb)
        self._alive.add(worker)
        return worker

    def _end(self, worker: _Worker) -> None:
        self._alive.discard(worker)
        worker.end()


class _Worker:
    """One process and its pipes."""

    def __init__(self, limit_s: float, memory_mb: int) -> None:
        root = str(Path(agentdistill.__file__).parent.parent)
        paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
        # A fixed hash seed: sympy orders terms by hash, and an order may decide what it simplifies first.
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(paths),
            "PYTHONHASHSEED": "0",
            "PYTHONUTF8": "1",
            "OMP_NUM_THREADS": "1",
        }
        self._process = subprocess.Popen(
            [sys.executable, "-c", _MAIN, str(limit_s), str(memory_mb)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
            encoding="utf-8",
            start_new_session=True,  # Ctrl-C is the parent's business
        )
        if self._readline() != "ready":
            self.end()
            raise GradingError("the comparing process did not start; are sympy and math-verify installed?")

    def run(self, batch: list[Comparison]) -> list[Verdict] | None:
        """The verdicts in order; None where the process has died."""
        try:
            self._pipe(self._process.stdin).write(json.dumps(batch) + "\n")
            self._pipe(self._process.stdin).flush()
            letters = self._readline()
        except (BrokenPipeError, ValueError):
            return None
        return [Verdict(letter) for letter in letters] if len(letters) == len(batch) else None

    def end(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            try:
                self._pipe(pipe).close()
            except BrokenPipeError:
                continue
        self.kill()
        self._process.wait()

    def kill(self) -> None:
        self._process.kill()

    def _readline(self) -> str:
        return self._pipe(self._process.stdout).readline().rstrip("\n")

    @staticmethod
    def _pipe(pipe: IO[str] | None) -> IO[str]:
        assert pipe is not None
        return pipe
