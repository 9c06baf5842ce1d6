"""Rollout: how full episodes keep the engine, what a step costs, how many questions and actors one run carries.

    python benchmarks/rollout.py [--quick] [--json] [--only PART]

The engine is simulated (`simulated_engine.py`): a fixed number of slots, each writing at a fixed rate, turns of
lognormal length, three an episode, one episode in 50 with turns 20 times as long. Its capacity is all slots writing all
the time. Episodes, sandbox, grading, storage and Ray are real, and go through `run_rollout`. Peers, in the same run on
the same engine: turn-by-turn lockstep over whole batches, with our parser and our sandbox, and smolagents' CodeAgent in
a thread pool. What only fills or empties the pipe is left out where a line says "steady": from when as many episodes
have begun as may be in flight, to when the last one begins.

The last part, `sag`, runs the real vLLM and reports what self-consistent actions cost; it has no bound.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_REPOSITORY = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(_REPOSITORY), str(_REPOSITORY / "benchmarks")]

import claims
import simulated_engine
from claims import Claim, at_least, at_most, times_better
from rollout_peers import start
from rollout_sag import sag_costs
from simulated_engine import Speed

QUICK = (
    "one repeat, fewer questions, two ways to run smolagents instead of five, 10,000 questions streamed, 1 -> 2 actors"
)


@dataclass(frozen=True)
class Pool:
    """One way to run the peer."""

    threads: int
    log: bool  # to nowhere, but written
    reuse: bool  # one agent a thread instead of one a question

    def __str__(self) -> str:
        return (
            f"{self.threads} threads, an agent a {'thread' if self.reuse else 'question'}, "
            f"{'log as by default' if self.log else 'no log'}"
        )


#: An agent a question in 8 or 32 threads with the log on is how smolagents' own benchmark script runs it.
POOLS = (
    Pool(8, True, False),
    Pool(32, True, False),
    Pool(512, True, False),
    Pool(512, False, False),
    Pool(512, False, True),
)
PARTS = ("lockstep", "smolagents", "stream", "actors", "sag")


def main() -> int:
    parser = claims.arguments(__doc__, QUICK)
    parser.add_argument("--only", choices=PARTS, help="one part alone")
    parser.add_argument("--model", default="smollm2-135m", help="of the part sag: a preset, a folder, or a hub id")
    options = parser.parse_args()
    found: list[Claim] = []
    facts: dict[str, Any] = {}
    measures = {
        "lockstep": lambda folder: against_lockstep(folder, options.quick),
        "smolagents": lambda folder: against_smolagents(folder, options.quick),
        "stream": lambda folder: many_questions(options.quick),
        "actors": lambda folder: more_actors(folder, options.quick),
        "sag": lambda folder: ([], sag_costs(options.model, options.quick)),
    }
    for part in PARTS if options.only is None else (options.only,):
        with tempfile.TemporaryDirectory(prefix="bench-rollout-") as folder:
            more, told = measures[part](Path(folder))
        found += more
        facts |= told
    return claims.finish(found, options.json, "rollout", facts)


def against_lockstep(folder: Path, quick: bool) -> tuple[list[Claim], dict[str, Any]]:
    """The whole runs are compared, filling and emptying included: lockstep has nothing else."""
    slots = 64
    repeats, ours_count, peer_count = (1, 512, 128) if quick else (3, 1_536, 384)
    rates, shares, seconds = [], [], []
    for repeat in range(repeats):
        speed = Speed(slots, log=str(folder / f"ours-{repeat}"))
        seconds.append(start("rollout", speed, count=ours_count, actors=1, in_flight=slots)["seconds"])
        turns = simulated_engine.read_log(speed.log)
        rates.append(_rate(turns, simulated_engine.whole(turns)))
        steady = simulated_engine.steady(turns, slots)
        shares += [_rate(turns, part) / speed.capacity for part in simulated_engine.parts_of(steady, 3)]
    speed = Speed(slots, log=str(folder / "lockstep"))
    start("lockstep", speed, count=peer_count, in_flight=slots)
    turns = simulated_engine.read_log(speed.log)
    peer = _rate(turns, simulated_engine.whole(turns))
    about = f"one actor, {slots} in flight"
    return [
        times_better(f"whole run, {about}, against lockstep", rates, [peer], 2, "tokens/s", less_is_better=False),
        at_least(f"share of the engine's capacity, steady, {about}", shares, 0.95, "of 1"),
    ], {"run_rollout with start and compaction, s": [round(value, 1) for value in seconds]}


def _rate(turns: list[simulated_engine.Turn], window: tuple[float, float]) -> float:
    return simulated_engine.tokens_within(turns, window) / (window[1] - window[0])


def against_smolagents(folder: Path, quick: bool) -> tuple[list[Claim], dict[str, Any]]:
    """An engine so wide that whoever asks is what limits; the peer has its best pool, ours one actor."""
    slots = 512
    speed = Speed(slots, log=str(folder / "ours"))
    start("rollout", speed, count=1_536 if quick else 5_120, actors=1, in_flight=slots)
    turns = simulated_engine.read_log(speed.log)
    steady = simulated_engine.steady(turns, slots)
    steps, costs = [], []
    for part in simulated_engine.parts_of(steady, 3):
        number = simulated_engine.steps_within(turns, part)
        steps.append(number / (part[1] - part[0]))
        costs.append(1e3 * simulated_engine.cpu_within(turns, part) / number)
    pools = {pool: _pool_rate(folder, slots, pool, quick) for pool in (POOLS[2:4] if quick else POOLS)}
    as_run = max(rate for pool, rate in pools.items() if pool.log)
    name = f"steps, steady, one actor with {slots} in flight, against CodeAgent in its best thread pool"
    flight = simulated_engine.most_in_flight(turns, speed.turns - 1)
    return [
        times_better(name, steps, [as_run], 5, "1/s", less_is_better=False),
        at_most("processor time of an actor a step, sandbox processes excluded", costs, 3, "ms"),
        at_least("most episodes at once in one actor", [flight], slots, "episodes"),
    ], {"CodeAgent, steps/s": {str(pool): round(rate, 1) for pool, rate in pools.items()}}


def _pool_rate(folder: Path, slots: int, pool: Pool, quick: bool) -> float:
    speed = Speed(slots, log=str(folder / str(pool)))
    count = pool.threads + max(100, pool.threads // (2 if quick else 1))
    start("smolagents", speed, count=count, threads=pool.threads, log=pool.log, reuse=pool.reuse)
    turns = simulated_engine.read_log(speed.log)
    steady = simulated_engine.steady(turns, pool.threads)
    return simulated_engine.steps_within(turns, steady) / (steady[1] - steady[0])


def many_questions(quick: bool) -> tuple[list[Claim], dict[str, Any]]:
    """One completion each, at once and without code: what is measured is the stream, not the engine or the sandbox."""
    few, many = (2_500, 10_000) if quick else (25_000, 100_000)
    small, large = (start("stream", count=count, actors=2, in_flight=64) for count in (few, many))
    each = [1e3 * run["seconds"] / count for run, count in ((small, few), (large, many))]
    progress = large["progress"]
    early = max(gib for _, done, gib in progress[:1] + progress if done <= max(many / 5, progress[0][1]))
    late = max(gib for _, _, gib in progress)
    return [
        at_most(f"peak memory of the driver, {many:,} questions", [large["peak_gib"]], 1.5, "GiB"),
        at_most("the driver's growth from a fifth of them to the last", [late - early], 0.1, "GiB"),
        at_most(f"time a question, {many:,} against {few:,}", [each[1] / each[0]], 1.15, "times"),
    ], {
        "questions/s": round(1e3 / each[1], 1),
        "ms a question": {f"{few:,}": round(each[0], 3), f"{many:,}": round(each[1], 3)},
        "peak of the driver, GiB": {f"{few:,}": round(small["peak_gib"], 3), f"{many:,}": round(large["peak_gib"], 3)},
        "stored, MB": round(large["stored_mb"], 1),
    }


def more_actors(folder: Path, quick: bool) -> tuple[list[Claim], dict[str, Any]]:
    """The engines are slow enough that all actors together leave the processors time: waiting is what scales here."""
    slots, most = 16, 2 if quick else 8
    repeats, each = (1, 120) if quick else (2, 240)
    rates: dict[int, list[float]] = {1: [], most: []}
    for repeat in range(repeats):
        for actors, found in rates.items():
            speed = Speed(slots, tokens_per_s=150, log=str(folder / f"{actors}-{repeat}"))
            start("rollout", speed, count=each * actors, actors=actors, in_flight=slots)
            turns = simulated_engine.read_log(speed.log)
            by_process = [[turn for turn in turns if turn.process == id_] for id_ in {turn.process for turn in turns}]
            windows = [simulated_engine.steady(own, slots) for own in by_process]
            together = max(window[0] for window in windows), min(window[1] for window in windows)
            found.append(_rate(turns, together) / actors)
    one = sum(rates[1]) / repeats
    name = f"efficiency of {most} actors against 1, steady, {slots} in flight each"
    return [at_least(name, [rate / one for rate in rates[most]], 0.9, "of 1")], {
        "tokens/s an actor": {actors: [round(rate) for rate in found] for actors, found in rates.items()},
        "capacity of an engine, tokens/s": Speed(slots, tokens_per_s=150).capacity,
    }


if __name__ == "__main__":
    sys.exit(main())
