"""The process that compares expressions: `main`, with LIMIT_S and MEMORY_MB as arguments.

It reads a batch of comparisons a line (JSON), lets a fork of itself work through them, and writes the verdicts (JSON).
The fork is killed when one comparison takes longer than its limit, and a new one, which starts in milliseconds, goes on
with the next. The limit is processor time, so that a busy machine changes no verdict.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import logging
import os
import resource
import select
import signal
import sys
import warnings
from enum import StrEnum

#: A fork is replaced after so many comparisons: caches stay small.
_COMPARISONS_A_FORK = 5_000
_POLL_S = 0.1
#: A fork that uses no processor time (it should never wait for anything) is given so many limits of wall-clock time.
_WALL_FACTOR = 20
_PR_SET_PDEATHSIG = 1


class Verdict(StrEnum):
    """What came out of one comparison."""

    RIGHT = "1"
    WRONG = "0"
    LIMIT = "L"  # time, memory, or the death of the interpreter
    ERROR = "E"  # the comparison raised


Comparison = tuple[list[str], str]  # accepted answers, prediction


def verdict(golds: list[str], prediction: str) -> Verdict:
    """One comparison, in this process and without a limit."""
    from agentdistill.grading.mathematics.compare import same_answer
    from agentdistill.grading.mathematics.formula import TooLargeError

    raised = False
    for gold in golds:
        try:
            if same_answer(gold, prediction):
                return Verdict.RIGHT
        except (MemoryError, TooLargeError):
            return Verdict.LIMIT
        # An algebra system fails in many ways on what models write; the verdict says so and is counted.
        except Exception:
            logging.getLogger(__name__).debug("comparison of %r with %r", gold, prediction, exc_info=True)
            raised = True
    return Verdict.ERROR if raised else Verdict.WRONG


class _Fork:
    """A child that compares what it is sent, and writes one letter for each."""

    def __init__(self, memory_mb: int) -> None:
        inbox, self._send = os.pipe()
        self.results, outbox = os.pipe()
        self.num_compared = 0
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._send)
            os.close(self.results)
            _serve(inbox, outbox, memory_mb)
        os.close(inbox)
        os.close(outbox)

    def send(self, batch: list[Comparison]) -> None:
        data = json.dumps(batch).encode() + b"\n"
        with contextlib.suppress(BrokenPipeError):
            while data:
                data = data[os.write(self._send, data) :]

    def end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        os.close(self._send)
        os.close(self.results)
        os.waitpid(self.pid, 0)


def _serve(inbox: int, outbox: int, memory_mb: int) -> None:
    """The child's life. It never returns."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    limit = memory_mb * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with open(inbox, encoding="utf-8") as batches:
        for line in batches:
            for golds, prediction in json.loads(line):
                os.write(outbox, verdict(golds, prediction).encode())
    os._exit(0)


def _cpu_s(pid: int) -> float | None:
    """Processor seconds of a process so far; None where the system does not tell."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            fields = stat.read().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Supervisor:
    """Works through batches, one comparison after the other, each under the limit."""

    def __init__(self, limit_s: float, memory_mb: int) -> None:
        self._limit_s = limit_s
        self._memory_mb = memory_mb
        self._fork: _Fork | None = None

    def run(self, batch: list[Comparison]) -> list[Verdict]:
        """The verdicts in order."""
        verdicts: list[Verdict] = []
        while len(verdicts) < len(batch):
            fork = self._ready_fork()
            fork.send(batch[len(verdicts) :])
            while len(verdicts) < len(batch):
                letters = self._wait(fork)
                verdicts.extend(Verdict(letter) for letter in letters)
                fork.num_compared += len(letters)
                if not letters:
                    verdicts.append(Verdict.LIMIT)
                    self._end_fork()
                    break
        return verdicts

    def _ready_fork(self) -> _Fork:
        if self._fork is not None and self._fork.num_compared >= _COMPARISONS_A_FORK:
            self._end_fork()
        if self._fork is None:
            self._fork = _Fork(self._memory_mb)
        return self._fork

    def _end_fork(self) -> None:
        if self._fork is not None:
            self._fork.end()
            self._fork = None

    def _wait(self, fork: _Fork) -> str:
        """The next verdicts; empty where the comparison in hand is over its limit or the fork has died."""
        started_cpu_s, polls = None, 0
        while True:
            if select.select([fork.results], [], [], _POLL_S)[0]:
                return os.read(fork.results, 65_536).decode()
            polls += 1
            cpu_s = _cpu_s(fork.pid)
            if started_cpu_s is None:
                started_cpu_s = cpu_s
            elif cpu_s is not None and cpu_s - started_cpu_s >= self._limit_s:
                return ""
            factor = 1 if cpu_s is None else _WALL_FACTOR
            if polls * _POLL_S >= self._limit_s * factor:
                return ""


def main() -> None:
    """Serve until the other end closes."""
    limit_s, memory_mb = float(sys.argv[1]), int(sys.argv[2])
    logging.getLogger("math_verify").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")  # Python's parser has opinions about what models write
    # Imported, and every lazy part of them used once, before the first fork.
    for gold, prediction in (("1", "2"), ("x + 1", "y"), ("3:5", "5:3")):
        verdict([gold], prediction)
    supervisor = Supervisor(limit_s, memory_mb)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        sys.stdout.write("".join(supervisor.run(json.loads(line))) + "\n")
        sys.stdout.flush()
