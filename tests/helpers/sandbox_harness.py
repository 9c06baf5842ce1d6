"""What the sandbox's tests share beside the fixtures in conftest.py: limits, and looks at what is left of a session."""

from __future__ import annotations

import os
import time

from agentdistill.sandbox import Limits, Sandbox
from agentdistill.sandbox.host import usage

LIMITS = Limits(wall_s=1.5, cpu_s=6, memory_mb=256, output_chars=2_000, value_chars=1_000, file_mb=4, files=64)
SPARES = 1  # of the namespaced one: a process and a folder that wait for the next session
SETTLE_S = 60.0  # a limit for what never goes; what goes takes milliseconds


def running(box: Sandbox) -> list[int]:
    """Living processes below the warm one, spares included."""
    return [pid for pid in usage.descendants(box.warm_pid) if usage.of_process(pid).tasks]


def settles_at(box: Sandbox, sessions: int) -> bool:
    """Whether sessions come to have so many processes, beside what the warm one keeps for the next."""
    expected = sessions + (SPARES if box.namespaces else 0)
    deadline = time.monotonic() + SETTLE_S
    while len(running(box)) != expected and time.monotonic() < deadline:
        time.sleep(0.02)
    return len(running(box)) == expected


def host() -> tuple[str, dict[str, str]]:
    """What no session may change of this process."""
    return os.getcwd(), {key: value for key, value in os.environ.items() if key != "PYTEST_CURRENT_TEST"}


def leftovers(box: Sandbox) -> tuple[list[int], list[str]]:
    """(processes below the warm one, entries in the sandbox's folder) but spares, after they had time to go."""
    spares = SPARES if box.namespaces else 0
    # In namespaces the folder is a file system of the warm process's own.
    folder = f"/proc/{box.warm_pid}/root{box.folder}" if box.namespaces else box.folder
    deadline = time.monotonic() + SETTLE_S
    while True:
        pids, files = usage.descendants(box.warm_pid), os.listdir(folder)
        if (len(pids), len(files)) == (spares, spares):
            return [], []
        if time.monotonic() > deadline:
            return pids, files
        time.sleep(0.02)
