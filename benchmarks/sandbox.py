"""The sandbox: how fast sessions open, run, fork and close, what they cost, and what one of them can do to the others.

    python benchmarks/sandbox.py [--quick] [--json]

Peers, in the same run: a fresh interpreter that imports the same modules (`python -c "import numpy, sympy"`), one with
a time limit on the clock, and smolagents' LocalPythonExecutor, which walks the syntax tree in the host's own process.
Memory is the proportional set size of all processes of the sandbox together; where it cannot be read, what the
machine's free memory lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from claims import Claim, arguments, at_least, at_most, finish, times_better, times_s

from agentdistill.sandbox import AsyncSession, Limits, Sandbox, Session
from agentdistill.sandbox.host import usage

LOOPS = """
total = 0
for i in range(300):
    for j in range({inner}):
        if (i * j) % 7 == 3:
            total += i - j
total
"""
PROGRAMS = {
    "nested loops": ("t = 0\nfor i in range(3):\n    for j in range(3):\n        t += i * j\nt", "9"),
    "two generators in one comprehension": ("[i * j for i in range(3) for j in range(2)]", "[0, 0, 0, 1, 0, 2]"),
    "generator": ("def g():\n    for i in range(3):\n        yield i * i\nlist(g())", "[0, 1, 4]"),
    "match": ("match [1, 2]:\n    case [a, b]:\n        r = a + b\nr", "3"),
    "global": ("n = 1\ndef f():\n    global n\n    n += 1\nf()\nn", "2"),
    "nonlocal": (
        "def f():\n    n = 1\n    def g():\n        nonlocal n\n        n += 1\n    g()\n    return n\nf()",
        "2",
    ),
    "for with else": ("for i in range(3):\n    if i == 5: break\nelse:\n    i = 9\ni", "9"),
    "dataclass": ("from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int\nP(3).x", "3"),
    "positional-only parameters": ("def f(a, /, *, b):\n    return a + b\nf(1, b=2)", "3"),
    "starred assignment": ("a, *b = [1, 2, 3]\nb", "[2, 3]"),
    "async": ("import asyncio\nasync def f(): return 3\nasyncio.run(f())", "3"),
    "eval": ("eval('1 + 2')", "3"),
    "regular expressions": ("import re\nre.findall('[0-9]+', 'a1b22')", "['1', '22']"),
    "json": ("import json\njson.loads('[1]')", "[1]"),
    "finally": ("r = []\ntry:\n    r.append(1)\nfinally:\n    r.append(2)\nr", "[1, 2]"),
}
BURNER = """
import os, threading
def burn():
    x = bytearray(64 * 2**20)
    while True: sum(x[:10**6])
for _ in range(3):
    try: os.fork()
    except OSError: pass
for _ in range(3):
    try: threading.Thread(target=burn).start()
    except RuntimeError: pass
burn()
"""

ALGEBRA = """
from sympy import *
x = symbols("x")
for i in range(3):
    found = integrate(x**i * exp(-x) * sin(x), (x, 0, oo)), solve(x**4 - 3*x + i, x)
found
"""


def main() -> int:
    options = arguments(__doc__, quick="a tenth of the repeats, 64 sessions open instead of 256").parse_args()
    with Sandbox(Limits(wall_s=10), preload=("numpy", "sympy")) as sandbox:
        claims = measure(sandbox, repeats=20 if options.quick else 200, most_open=64 if options.quick else 256)
    return finish(claims, options.json, "sandbox")


def measure(sandbox: Sandbox, repeats: int, most_open: int) -> list[Claim]:
    claims = opening(sandbox, repeats)
    with sandbox.session() as session:
        session.run("x = 1")
        claims += [round_trip(session, repeats * 5), one_fork(session, repeats)]
        claims += [loops(session, max(3, repeats // 40)), programs(session)]
    claims.append(rate(sandbox, repeats))
    claims.append(asyncio.run(open_at_once(sandbox, most_open)))
    claims.append(one_sleeper(repeats=1 if repeats < 100 else 5))
    claims.append(asyncio.run(beside_a_burner(repeats * 5)))
    claims.append(asyncio.run(in_a_crowd(*((16, 2.0) if repeats < 100 else (48, 10.0)))))
    return claims


def milliseconds(seconds: list[float]) -> list[float]:
    return [1e3 * value for value in seconds]


def opening(sandbox: Sandbox, repeats: int) -> list[Claim]:
    opened: list[float] = []
    for _ in range(repeats):
        started = time.perf_counter()
        session = sandbox.session()
        opened.append(time.perf_counter() - started)
        session.close()
    fresh = [sys.executable, "-c", "import numpy, sympy"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    peers = times_s(lambda: subprocess.run(fresh, check=True, env=environment), max(3, repeats // 20))
    ours, theirs = milliseconds(opened), milliseconds(peers)
    return [
        at_most("open a session, numpy and sympy ready", ours, 10, "ms"),
        times_better("... against a fresh interpreter", ours, theirs, 50, "ms", less_is_better=True),
    ]


def round_trip(session: Session, repeats: int) -> Claim:
    return at_most('run("x = 1")', milliseconds(times_s(lambda: session.run("x = 1"), repeats)), 2, "ms")


def one_fork(session: Session, repeats: int) -> Claim:
    seconds = times_s(lambda: session.try_all(["x"]), repeats)
    return at_most("a fork for one candidate, run included", milliseconds(seconds), 8, "ms")


def loops(session: Session, repeats: int) -> Claim:
    """The peer gets a smaller program, for it gives up on long ones; both are for one turn of the inner loop."""
    from smolagents.local_python_executor import LocalPythonExecutor

    sizes = {"ours": 3_000, "peer": 100}
    executor = LocalPythonExecutor([])
    executor.send_tools({})
    ours = times_s(lambda: session.run(LOOPS.format(inner=sizes["ours"])), repeats)
    peer = times_s(lambda: executor(LOOPS.format(inner=sizes["peer"])), repeats)
    per_turn, peer_per_turn = (
        [value / (300 * sizes[whose]) * 1e9 for value in found] for whose, found in (("ours", ours), ("peer", peer))
    )
    name = "a turn of a nested loop, against smolagents"
    return times_better(name, per_turn, peer_per_turn, 30, "ns", less_is_better=True)


def programs(session: Session) -> Claim:
    from smolagents.local_python_executor import LocalPythonExecutor

    ours = sum(session.run(code).value == value for code, value in PROGRAMS.values())
    executor = LocalPythonExecutor(["re", "json", "dataclasses", "asyncio"])
    executor.send_tools({})
    peer = 0
    for code, value in PROGRAMS.values():
        with contextlib.suppress(Exception):
            peer += repr(executor(code).output) == value
    return at_least("programs that run, of a list", [ours], len(PROGRAMS), "programs", [peer])


def rate(sandbox: Sandbox, repeats: int) -> Claim:
    """Open, two runs, close; a few sessions at a time, as an actor has them."""

    async def all_sessions(number: int) -> float:
        width = asyncio.Semaphore(8)

        async def one() -> None:
            async with width, sandbox.async_session() as session:
                await session.run("x = 1")
                await session.run("x + 1")

        started = time.perf_counter()
        await asyncio.gather(*(one() for _ in range(number)))
        return number / (time.perf_counter() - started)

    rates = [asyncio.run(all_sessions(max(50, repeats))) for _ in range(3)]
    return at_least("sessions a second: open, two runs, close", rates, 120, "1/s")


async def open_at_once(sandbox: Sandbox, number: int) -> Claim:
    free_before = free_gib()
    sessions = [sandbox.async_session() for _ in range(number)]
    for session in sessions:
        await session.run("import numpy as np, sympy\nx = np.arange(1000)\ny = sympy.Symbol('y') ** 2")
    used = proportional_gib([sandbox.warm_pid, *usage.descendants(sandbox.warm_pid)])
    used = used if used is not None else free_before - free_gib()
    scaled = used if number == 256 else used * 256 / number
    await asyncio.gather(*(session.close() for session in sessions))
    name = f"{number} sessions open at once" + ("" if number == 256 else ", scaled to 256")
    return at_most(name, [scaled], 4, "GiB")


def proportional_gib(pids: list[int]) -> float | None:
    total_kb = 0
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
        except OSError:
            return None
        total_kb += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total_kb / 2**20


def free_gib() -> float:
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")) / 2**20


def one_sleeper(repeats: int) -> Claim:
    """Eight candidates, one asleep until its limit: how long the slowest of the others took."""
    wall_s = 1.0
    slowest, whole = [], []
    with Sandbox(Limits(wall_s=wall_s), preload=("numpy",)) as sandbox, sandbox.session() as session:
        session.run("x = 1")
        for _ in range(repeats):
            started = time.perf_counter()
            outcomes = session.try_all(["import time; time.sleep(1000)", *["x + 1"] * 7])
            whole.append(time.perf_counter() - started)
            slowest.append(max(outcome.duration_s for outcome in outcomes[1:]))
    ours = at_most("slowest of seven candidates beside a sleeper", milliseconds(slowest), wall_s * 1e3, "ms")
    return replace(ours, holds=ours.holds and max(whole) <= wall_s + 1.0)


async def beside_a_burner(repeats: int) -> Claim:
    """The 99th percentile of a run in other sessions, while one session burns what it can, against the same at rest."""
    with Sandbox(Limits(wall_s=300, cpu_s=600, memory_mb=2048), preload=("numpy", "sympy")) as sandbox:
        sessions = [sandbox.async_session() for _ in range(4)]
        for session in sessions:
            await session.run("x = 1")
        resting = await p99_ms(sessions, repeats)
        burner = sandbox.async_session()
        await burner.run("y = 1")
        burning = asyncio.ensure_future(burner.run(BURNER))
        await asyncio.sleep(2)
        busy = await p99_ms(sessions, repeats)
        burning.cancel()
        await asyncio.gather(burning, return_exceptions=True)
        await asyncio.gather(*(session.close() for session in [*sessions, burner]))
    return at_most("p99 of a run beside a session that burns", [busy], 3 * resting, "ms", [resting])


async def p99_ms(sessions: list[AsyncSession], repeats: int) -> float:
    found = []
    for number in range(repeats):
        started = time.perf_counter()
        await sessions[number % len(sessions)].run("x = 1")
        found.append(time.perf_counter() - started)
        await asyncio.sleep(0.002)
    return sorted(found)[int(len(found) * 0.99)] * 1e3


async def in_a_crowd(programs: int, wall_s: float) -> Claim:
    """How many of the programs, all at once beside two busy processes, end by themselves within a limit of time.

    One takes half a second of a processor. The peer is what a harness without a sandbox does: a process for each,
    killed when the time on the clock is over.
    """
    hogs = [subprocess.Popen(["sh", "-c", "while :; do :; done"], start_new_session=True) for _ in range(2)]
    try:
        with Sandbox(Limits(wall_s=wall_s, cpu_s=10), preload=("sympy",)) as sandbox:

            async def run() -> bool:
                async with sandbox.async_session() as session:
                    return (await session.run(ALGEBRA)).limit is None

            ours = sum(await asyncio.gather(*(run() for _ in range(programs))))
        peer = sum(await asyncio.gather(*(ends_in_time(ALGEBRA, wall_s) for _ in range(programs))))
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()
    name = f"of {programs} programs in a crowd, not ended by a limit of {wall_s:g} s"
    return at_least(name, [ours], programs, "programs", [peer])


async def ends_in_time(code: str, wall_s: float) -> bool:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code)
    try:
        return await asyncio.wait_for(process.wait(), wall_s) == 0
    except TimeoutError:
        process.kill()
        await process.wait()
        return False


if __name__ == "__main__":
    sys.exit(main())
