"""What a session's processes use, read from /proc of the host."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")
_CPUCLOCK_SCHED = 2  # clock ids of other processes: clock_getcpuclockid(3)
_BLOCK = 512  # st_blocks counts these
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    cpu_s: float = 0.0  # own and of children that were waited for
    resident_bytes: int = 0
    tasks: int = 0  # threads, each process counting at least one


def of_process(pid: int) -> Usage:
    """The usage of one process; zeros where it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return Usage()
    if fields[0] == b"Z":
        return Usage()
    cpu = sum(int(field) for field in fields[11:15]) / _TICKS
    return Usage(cpu, int(fields[21]) * _PAGE, int(fields[17]))


def children(pid: int) -> list[int]:
    """The children of all threads of a process."""
    found: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                found += [int(word) for word in file.read().split()]
    except OSError:
        pass
    return found


def descendants(pid: int, skip: frozenset[int] = frozenset()) -> list[int]:
    """Children, their children and so on, without those in `skip` and what is below them."""
    found: list[int] = []
    queue = children(pid)
    while queue:
        child = queue.pop()
        if child not in skip:
            found.append(child)
            queue += children(child)
    return found


def total(pids: list[int], baseline_bytes: int) -> Usage:
    """The sum over processes; of each one's memory only what is beyond the baseline."""
    cpu, memory, tasks = 0.0, 0, 0
    for pid in pids:
        usage = of_process(pid)
        cpu += usage.cpu_s
        memory += max(0, usage.resident_bytes - baseline_bytes)
        tasks += usage.tasks
    return Usage(cpu, memory, tasks)


def cpu_s(pid: int) -> float:
    """Processor seconds of a process, without reading a file. 0.0 where it is gone."""
    try:
        return time.clock_gettime(~pid << 3 | _CPUCLOCK_SCHED)
    except OSError:
        return 0.0


def main_thread(pid: int) -> tuple[float, float]:
    """(seconds that a process's main thread ran, seconds that it could have run and waited for a processor).

    Zeros where it is gone, or where the kernel does not count (`/proc/PID/schedstat`, nanoseconds).
    """
    try:
        with open(f"/proc/{pid}/schedstat", "rb") as file:
            ran, queued, _ = map(int, file.read().split())
    except (OSError, ValueError):
        return 0.0, 0.0
    return ran / 1e9, queued / 1e9


def of_folder(folder: Path, most_files: int) -> tuple[int, int]:
    """(bytes on disk, entries) below a folder; stops counting soon after `most_files` entries."""
    size = entries = 0
    queue = [str(folder)]
    while queue and entries <= most_files + 1:
        try:
            for entry in os.scandir(queue.pop()):
                entries += 1
                size += entry.stat(follow_symlinks=False).st_blocks * _BLOCK
                if entry.is_dir(follow_symlinks=False):
                    queue.append(entry.path)
                if entries > most_files + 1:
                    break
        except OSError:
            continue
    return size, entries
