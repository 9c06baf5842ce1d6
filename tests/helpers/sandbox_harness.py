"""What the sandbox's tests share beside the fixtures in conftest.py: limits, and looks at what is left of a session."""

from __future__ import annotations

import os
import time

from agentdistill.sandbox import Limits, Sandbox
from agentdistill.sandbox.host import usage

LIMITS = Limits(wall_s=1.5, cpu_s=6, memory_mb=256, output_chars=2_000, value_chars=1_000, file_mb=4, files=64)
SPARES = 1  # of the namespaced one: a process and a folder that wait for the next session
SETTLE_S = 5.0


def running(box: Sandbox) -> list[int]:
    """Living processes below the warm one, spares included."""
    return [pid for pid in usage.descendants(box.warm_pid) if usage.of_process(pid).tasks]


def settled(box: Sandbox) -> int:
    """How many processes sessions have, once the warm one has forked what it keeps for the next."""
    time.sleep(0.3)
    return len(running(box)) - (SPARES if box.namespaces else 0)


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
