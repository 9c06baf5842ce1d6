"""Sandboxes beside each other on one host, and what is left where their processes are killed."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import agentdistill
from agentdistill.errors import SandboxError
from agentdistill.sandbox import Limits, Sandbox
from agentdistill.sandbox.host import process, usage
from agentdistill.types import Limit

pytestmark = pytest.mark.slow

LIMITS = Limits(wall_s=5, memory_mb=256)
BOMB = "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass"
OWNER = """
import sys, time
from agentdistill.sandbox import Sandbox
box = Sandbox(preload=[], namespaces=sys.argv[1] == "namespaces", spares=1)
box.start()
print(box.warm_pid, box.folder, flush=True)
time.sleep(1000)
"""


#: One session forks all that its user may, while another sandbox of this user opens sessions. Counts what failed.
OTHER_USER = """
import asyncio, sys
from agentdistill.sandbox import Limits, Sandbox

async def main():
    limits = Limits(wall_s=2, memory_mb=256, processes=100_000)
    with (
        Sandbox(limits, preload=[], namespaces=False) as bombed,
        Sandbox(limits, preload=[], namespaces=False) as calm,
    ):
        async with bombed.async_session() as session, calm.async_session() as kept:
            await kept.run("x = 1")
            bomb = asyncio.ensure_future(session.run(sys.argv[1]))
            values = []
            while not bomb.done():
                async with calm.async_session() as other:
                    values.append((await other.run("1 + 1")).value)
            print(set(values), (await bomb).limit, (await kept.run("x")).value)

asyncio.run(main())
"""
AS_OTHER_USER = [
    "setpriv", "--reuid=54321", "--regid=54321", "--clear-groups", "--inh-caps=+dac_read_search",
    "--ambient-caps=+dac_read_search", "prlimit", "--nproc=200",
]  # fmt: skip


def wait_for(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + 120
    while not what():
        assert time.monotonic() < deadline, "it did not happen within 120 s"
        time.sleep(0.01)


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def leave_descriptors(pid: int, free: int) -> tuple[int, int]:
    """Let a process open only so many descriptors more; returns its former limit."""
    used = {int(name) for name in os.listdir(f"/proc/{pid}/fd")}
    unused = [number for number in range(len(used) + free + 1) if number not in used]
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (unused[free - 1] + 1, before[1]))
    return before


async def open_and_run(box: Sandbox, times: int) -> list[str | None]:
    """Open a session after the other and run code in each."""
    found = []
    for _ in range(times):
        async with box.async_session() as session:
            found.append((await session.run("x = 1\nx + 1")).value)
    return found


@pytest.mark.parametrize("namespaces", [True, False])
async def test_a_fork_bomb_in_one_sandbox_leaves_the_others_alone(namespaces: bool) -> None:
    with (
        Sandbox(LIMITS, preload=[], namespaces=namespaces) as bombed,
        Sandbox(LIMITS, preload=[], namespaces=namespaces) as calm,
    ):
        async with bombed.async_session() as first, bombed.async_session() as second, calm.async_session() as kept:
            await kept.run("kept = 1")
            bombs = [asyncio.ensure_future(session.run(BOMB)) for session in (first, second)]
            opened = await open_and_run(calm, 20)
            beside = await open_and_run(bombed, 5)
            outcomes = await asyncio.gather(*bombs)
            assert (opened, beside) == (["2"] * 20, ["2"] * 5)
            assert all(outcome.limit is not None for outcome in outcomes)
            assert (await kept.run("kept")).value == "1"


def test_a_bomb_that_takes_all_processes_of_its_user_leaves_this_users_other_sandboxes_alone() -> None:
    if os.getuid() or not shutil.which("setpriv"):
        pytest.skip("needs root, to become a user of whom no other process runs")
    root = str(Path(agentdistill.__file__).parents[1])
    command = [*AS_OTHER_USER, sys.executable, "-c", OTHER_USER, BOMB]
    environment = {**os.environ, "PYTHONPATH": root}
    done = subprocess.run(command, capture_output=True, text=True, cwd="/", env=environment, check=False)
    assert done.stdout == "{'2'} wall 1\n", done.stderr


def test_a_warm_process_that_cannot_fork_says_so_and_lives_on() -> None:
    with Sandbox(LIMITS, preload=[], spares=0) as box, box.session() as before:
        before.run("x = 1")
        warm = box.warm_pid
        former = leave_descriptors(warm, free=1)  # for the session's pipe; a fork needs two more
        with pytest.raises(SandboxError, match="could not be forked: Too many open files"):
            box.session()
        resource.prlimit(warm, resource.RLIMIT_NOFILE, former)
        with box.session() as after:
            assert after.run("2").value == "2"
        assert before.run("x").value == "1"
        assert box.warm_pid == warm


def test_a_session_takes_no_notice_of_a_spare_that_was_killed() -> None:
    with Sandbox(LIMITS, preload=[], spares=1) as box:
        wait_for(lambda: usage.children(box.warm_pid))
        for _ in range(5):
            for pid in usage.children(box.warm_pid):
                os.kill(pid, signal.SIGKILL)
            with box.session() as session:
                assert session.run("2").value == "2"


def test_the_end_of_a_session_whose_warm_process_died_does_not_touch_the_next_ones_sessions() -> None:
    with Sandbox(LIMITS, preload=[], spares=0) as box:
        old = box.session()
        os.kill(box.warm_pid, signal.SIGKILL)
        wait_for(lambda: not box.warm_pid)
        new = box.session()
        new.run("x = 1")
        old.close()
        assert new.run("x").value == "1"
        new.close()


@pytest.mark.parametrize("namespaces", [True, False])
def test_a_sandbox_whose_folder_was_removed_starts_anew(namespaces: bool) -> None:
    with Sandbox(LIMITS, preload=[], namespaces=namespaces, spares=0) as box, box.session() as old:
        old.run("x = 1")
        shutil.rmtree(box.folder, ignore_errors=True)
        with box.session() as session:
            assert session.run("open('f', 'w').write('abc')").value == "3"
        lost = old.run("x")
        assert lost.state_lost
        assert old.run("2").value == "2"


def test_without_namespaces_sessions_leave_some_of_the_users_processes_to_the_host() -> None:
    with Sandbox(LIMITS, preload=[], namespaces=False, spares=0) as box:
        hard = resource.prlimit(box.warm_pid, resource.RLIMIT_NPROC)[1]
        resource.prlimit(box.warm_pid, resource.RLIMIT_NPROC, (4_000, hard))
        with box.session() as session:
            found = session.run("import resource; resource.getrlimit(resource.RLIMIT_NPROC)").value
    assert found == "(3744, 3744)"


def test_with_namespaces_a_session_counts_its_own_processes() -> None:
    with Sandbox(Limits(processes=5), preload=[], spares=0) as box:
        if not box.namespaces:
            pytest.skip("user namespaces are not allowed here")
        with box.session() as session:
            found = session.run("import resource; resource.getrlimit(resource.RLIMIT_NPROC)[0]").value
    assert found == "69"


def start_owner(tmp_path: Path, kind: str = "plain") -> tuple[subprocess.Popen[str], int, str]:
    """(a process with a sandbox, that sandbox's warm process, its folder below `tmp_path`)."""
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", OWNER, kind]
    owner = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert owner.stdout is not None
    warm, folder = owner.stdout.readline().split()
    return owner, int(warm), folder


@pytest.mark.parametrize("kind", ["namespaces", "plain"])
def test_a_sandbox_whose_owner_was_killed_leaves_no_process_and_no_folder(tmp_path: Path, kind: str) -> None:
    owner, warm, folder = start_owner(tmp_path, kind)
    all_of_it = [parent(warm), warm, *usage.descendants(warm)]
    assert os.path.isdir(folder)
    owner.kill()
    owner.communicate()
    wait_for(lambda: not any(usage.of_process(pid).tasks for pid in all_of_it) and not os.listdir(tmp_path))


def test_the_folder_of_a_sandbox_all_of_whose_processes_were_killed_goes_with_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, warm, folder = start_owner(tmp_path)
    guardian = parent(warm)
    os.kill(guardian, signal.SIGSTOP)  # else it would tidy up
    all_of_it = [guardian, warm, *usage.descendants(warm)]
    for pid in (owner.pid, warm, guardian):
        os.kill(pid, signal.SIGKILL)
    owner.communicate()
    wait_for(lambda: not any(usage.of_process(pid).tasks for pid in all_of_it))
    assert os.path.isdir(folder)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Sandbox(LIMITS, preload=[], spares=0) as box:
        assert os.listdir(tmp_path) == [os.path.basename(box.folder)]
        with Sandbox(LIMITS, preload=[], spares=0) as second:
            assert sorted(os.listdir(tmp_path)) == sorted(map(os.path.basename, (box.folder, second.folder)))


@pytest.fixture
def one_processor() -> Iterator[None]:
    """This test, and what it starts, may use one processor."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    yield
    os.sched_setaffinity(0, before)


@pytest.fixture
def crowded(one_processor: None) -> Iterator[None]:
    """Four busy neighbours on it."""
    hogs = [subprocess.Popen(["sh", "-c", "while :; do :; done"], start_new_session=True) for _ in range(4)]
    yield
    for hog in hogs:
        hog.kill()
        hog.wait()


COMPUTE = "import time\nwhile time.process_time() < {s}: pass"
#: Four processes of the session's own on the one processor.
FORKS = "import os\nos.fork(); os.fork()\nwhile True: pass"
COUNTS = pytest.mark.skipif(
    not Path("/proc/self/schedstat").exists(), reason="this kernel does not count waiting processes"
)


@COUNTS
def test_time_on_the_clock_that_neighbours_took_is_given_back(crowded: None) -> None:
    with Sandbox(Limits(wall_s=1, memory_mb=256), preload=[]) as box, box.session() as session:
        outcome = session.run(COMPUTE.format(s=0.6))

    assert outcome.limit is None, outcome.error
    assert outcome.duration_s > 1  # else nobody was in its way


@COUNTS
def test_no_more_is_given_back_than_a_few_times_the_limit(crowded: None, monkeypatch) -> None:
    monkeypatch.setattr(process, "LONGEST", 1.5)
    with Sandbox(Limits(wall_s=1, memory_mb=256), preload=[]) as box, box.session() as session:
        outcome = session.run(COMPUTE.format(s=0.9))

    assert outcome.limit is Limit.WALL


@pytest.mark.parametrize("code", ["import time; time.sleep(1e6)", COMPUTE.format(s=1e6)])
def test_who_sleeps_or_never_ends_meets_the_clock_all_the_same(crowded: None, code: str) -> None:
    with Sandbox(Limits(wall_s=1, cpu_s=3, memory_mb=256), preload=[]) as box, box.session() as session:
        outcome = session.run(code)

    assert outcome.limit is Limit.WALL


def test_processes_of_its_own_that_stand_in_its_way_gain_a_program_nothing(one_processor: None) -> None:
    with Sandbox(Limits(wall_s=1, cpu_s=3, memory_mb=256), preload=[]) as box, box.session() as session:
        outcome = session.run(FORKS)

    assert outcome.limit is Limit.WALL  # with the wait for its own given back, it would meet the other limit
