"""What an engine started does not outlive the process that opened it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

#: Opens what stands for an engine: a process that is stopped, and one that this process started.
OPENER = """
import subprocess, sys
from agentdistill.engines.guardian import Guardian

guardian = Guardian()
with guardian.marking():
    started = subprocess.Popen(["sh", "-c", "sleep 1000 & echo $!; kill -STOP $$"], stdout=subprocess.PIPE, text=True)
other = subprocess.Popen(["sleep", "1000"])
print(started.pid, int(started.stdout.readline()), other.pid, flush=True)
sys.stdin.readline()
guardian.kill()
print("killed", flush=True)
sys.stdin.readline()
"""


def state(pid: int) -> str:
    """The kernel's letter for it; Z where nobody has taken note of its end, empty where it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def is_alive(pid: int) -> bool:
    return state(pid) not in ("", "Z")


def wait_until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until, "the condition never came true"
        time.sleep(0.01)


@pytest.fixture
def opener():
    process = subprocess.Popen([sys.executable, "-c", OPENER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    stopped, child, other = map(int, process.stdout.readline().split())
    wait_until(lambda: state(stopped) == "T")
    yield process, stopped, child, other
    process.kill()
    process.wait()
    if state(other):
        subprocess.run(["kill", "-9", str(other)], check=False)


def test_a_killed_opener_leaves_no_engine_behind(opener) -> None:
    process, stopped, child, other = opener
    process.send_signal(signal.SIGKILL)
    wait_until(lambda: not is_alive(stopped) and not is_alive(child))
    assert is_alive(other)  # started outside: none of the engine's


def test_an_opener_that_loses_its_children_first_leaves_no_engine_behind(opener) -> None:
    process, _, child, _ = opener
    for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
        os.kill(int(pid), signal.SIGKILL)
    assert is_alive(child)  # nobody's child any more, and still there
    process.kill()
    wait_until(lambda: not is_alive(child))


def test_an_engine_that_hangs_is_killed_on_request(opener) -> None:
    process, stopped, child, other = opener
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.stdout.readline() == "killed\n"
    assert not is_alive(stopped)
    wait_until(lambda: not is_alive(child))
    assert is_alive(other)
