"""What the benchmark scripts share: a claim and the ways to judge it, the arguments, the output, the exit status."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Claim:
    """One line of the result."""

    name: str
    ours: float  # median over the repeats
    peer: float | None  # median, from the same run
    ratio: float | None  # how many times better ours is, whatever better means for the unit
    unit: str  # of ours and peer
    bound: str  # "<= 10" and ">= 120" are about ours, ">= 1.5x" about the ratio
    holds: bool
    spread: tuple[float, float]  # of ours


def at_most(name: str, ours: Sequence[float], bound: float, unit: str, peers: Sequence[float] = ()) -> Claim:
    """The median of `ours` must not exceed `bound`; less is better."""
    value, peer, ratio = _compare(ours, peers, less_is_better=True)
    return Claim(name, value, peer, ratio, unit, f"<= {bound:g}", value <= bound, spread(ours))


def at_least(name: str, ours: Sequence[float], bound: float, unit: str, peers: Sequence[float] = ()) -> Claim:
    """The median of `ours` must reach `bound`; more is better."""
    value, peer, ratio = _compare(ours, peers, less_is_better=False)
    return Claim(name, value, peer, ratio, unit, f">= {bound:g}", value >= bound, spread(ours))


def times_better(
    name: str, ours: Sequence[float], peers: Sequence[float], bound: float, unit: str, *, less_is_better: bool
) -> Claim:
    """The median of `ours` must be better than that of `peers` by a factor of at least `bound`."""
    value, peer, ratio = _compare(ours, peers, less_is_better)
    return Claim(name, value, peer, ratio, unit, f">= {bound:g}x", ratio is not None and ratio >= bound, spread(ours))


def _compare(
    ours: Sequence[float], peers: Sequence[float], less_is_better: bool
) -> tuple[float, float | None, float | None]:
    """Both medians and how many times better ours is; no ratio without a peer or where it would divide by zero."""
    value = statistics.median(ours)
    if not peers:
        return value, None, None
    peer = statistics.median(peers)
    better, worse = (peer, value) if less_is_better else (value, peer)
    return value, peer, better / worse if worse else None


def spread(values: Sequence[float]) -> tuple[float, float]:
    """Lowest and highest; from ten values on, a tenth of them is left out at either end."""
    ordered = sorted(values)
    rest = len(ordered) // 10
    return ordered[rest], ordered[-1 - rest]


def times_s(action: Callable[[], object], repeats: int) -> list[float]:
    """Seconds that each of `repeats` calls took."""
    found = []
    for _ in range(repeats):
        started = time.perf_counter()
        action()
        found.append(time.perf_counter() - started)
    return found


def arguments(doc: str | None, quick: str) -> argparse.ArgumentParser:
    """A parser with --quick and --json; `doc` is the script's docstring, `quick` says what the short run leaves out."""
    parser = argparse.ArgumentParser(description=(doc or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help=quick)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    return parser


def finish(claims: Sequence[Claim], as_json: bool, title: str, facts: dict[str, Any] | None = None) -> int:
    """Print the claims and what else was found; returns the exit status, 1 where a bound does not hold."""
    print(to_json(claims, facts)) if as_json else show(claims, title, facts)
    return 0 if all(claim.holds for claim in claims) else 1


def to_json(claims: Sequence[Claim], facts: dict[str, Any] | None = None) -> str:
    """One object on one line: the claims, the machine, and the facts under their own names."""
    return json.dumps({"claims": [asdict(claim) for claim in claims], "machine": machine(), **(facts or {})})


def show(claims: Sequence[Claim], title: str, facts: dict[str, Any] | None = None) -> None:
    """Print a table for people, then the facts, one a line."""
    print(title)
    print(", ".join(f"{name} {value}" for name, value in machine().items() if value))
    rows = [("claim", "ours", "peer", "ratio", "unit", "bound", "holds", "spread"), *map(_row, claims)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = (
            cell.rjust(width) if column in (1, 2, 3) else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  ".join(cells).rstrip())
    for name, value in (facts or {}).items():
        print(f"{name}: {json.dumps(value)}")


def _row(claim: Claim) -> tuple[str, ...]:
    peer = "-" if claim.peer is None else f"{claim.peer:.4g}"
    ratio = "-" if claim.ratio is None else f"{claim.ratio:.4g}"
    lowest, highest = claim.spread
    holds = "yes" if claim.holds else "NO"
    return (
        claim.name,
        f"{claim.ours:.4g}",
        peer,
        ratio,
        claim.unit,
        claim.bound,
        holds,
        f"{lowest:.4g} to {highest:.4g}",
    )


def machine() -> dict[str, Any]:
    """What the figures depend on; `load` is the number of runnable processes over the last minute, our own included."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "cores": len(os.sched_getaffinity(0)),
        "processor": _processor(),
        "memory_gib": round(memory, 1),
        "accelerators": _accelerators(),
        "load": round(os.getloadavg()[0], 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _accelerators() -> list[str]:
    if shutil.which("nvidia-smi") is None:
        return []
    command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.split("\n")[:-1] if done.returncode == 0 else []
