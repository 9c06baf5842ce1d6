"""Ranks forked from one process that has imported everything, each with the environment that torchrun would give it.

`Ranks` starts this file as a program. A run then costs what it computes, without seconds of imports for
each rank.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run on several ranks ended."""

    returncode: int  # the first that is not 0
    output: str  # of all ranks


class Ranks:
    """The process that forks; use it as a context manager."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Ranks:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def train(self, ranks: int, path: str, folder: Path, **settings: Any) -> Ended:
        """A run of `train_worker.main` on so many ranks."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps([ranks, settings, path, str(folder)]), file=self._process.stdin, flush=True)
        return Ended(**json.loads(self._process.stdout.readline()))


def _run(count: int, settings: dict[str, Any], path: str, folder: str) -> Ended:
    with tempfile.TemporaryFile("w+") as output, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1])}
        free.close()
        pids = [_fork(rank, count, place, output.fileno(), (dict(settings), path, folder)) for rank in range(count)]
        returncode = _wait_for(pids)
        output.seek(0)
        return Ended(returncode, output.read())


def _wait_for(pids: list[int]) -> int:
    """The first return code that is not 0; as under torchrun, it is the end of the other ranks too."""
    open_now, returncode = set(pids), 0
    while open_now:
        pid, status = os.waitpid(-1, 0)
        if pid not in open_now:
            continue
        open_now.discard(pid)
        code = os.waitstatus_to_exitcode(status)
        if code and not returncode:
            returncode = code
            for other in open_now:
                os.kill(other, signal.SIGKILL)
    return returncode


def _fork(rank: int, count: int, place: dict[str, str], output: int, work: tuple[Any, ...]) -> int:
    if pid := os.fork():
        return pid
    os.environ |= {**place, "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(count)}
    os.dup2(output, 1)
    os.dup2(output, 2)
    status = 1
    try:
        import train_worker

        train_worker.main(*work)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print as they are imported is no answer

    import deepspeed  # noqa: F401
    import peft  # noqa: F401
    import train_worker  # noqa: F401
    import transformers.models.llama.modeling_llama  # noqa: F401

    import agentdistill.train.loop  # noqa: F401

    for line in sys.stdin:
        ended = _run(*json.loads(line))
        print(json.dumps({"returncode": ended.returncode, "output": ended.output}), file=answers, flush=True)
