"""The report at 20,000 trajectories: how long it builds, in how much memory, and how fast its page opens and searches.

    python benchmarks/report.py [--quick] [--json]

The peer is the plain way to put trajectories into a page: all of them as one JSON literal, parsed when it opens. The
page is opened in headless Chromium where there is one with Playwright's Python package; else those claims are left out.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

_REPOSITORY = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(_REPOSITORY), str(_REPOSITORY / "tests" / "helpers")]

from claims import Claim, arguments, at_most, finish
from report_browser import browser, chromium, open_page
from report_runs import Shape, write_run

TASKS = ("hotpotqa", "math500", "musique", "gsm_hard")
_CHILD = """
import json, resource, sys, time
from agentdistill.report import build_report
start = time.perf_counter()
page = build_report([sys.argv[1]]).page
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
print(json.dumps({"seconds": time.perf_counter() - start, "peak_gib": peak, "page": page}))
"""
_PEER = """
import json, resource, sys, time
from agentdistill import storage
from agentdistill.schema import TRAJECTORIES
start = time.perf_counter()
rows = []
for folder in sys.argv[2:]:
    rows += storage.read_folder(folder, TRAJECTORIES).to_pylist()
text = json.dumps(rows).replace("</", "<\\\\/")
page = f"<!doctype html><meta charset=utf-8><script>const rows = {text};</script><p id=ready>ready</p>"
open(sys.argv[1], "w", encoding="utf-8").write(page)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
print(json.dumps({"seconds": time.perf_counter() - start, "peak_gib": peak, "page": sys.argv[1]}))
"""
_SEARCHES = ("orchestra river", "nameerror", "1906", "nowhere in the texts", "e")


def main() -> int:
    options = arguments(__doc__, quick="2,000 trajectories, one repeat").parse_args()
    total, repeats = (2_000, 1) if options.quick else (20_000, 3)
    with tempfile.TemporaryDirectory(prefix="report-") as folder:
        claims = measure(Path(folder), total, repeats)
    return finish(claims, options.json, "report, against one plain JSON literal", {"trajectories": total})


def measure(folder: Path, total: int, repeats: int) -> list[Claim]:
    """Build and open the report of `total` trajectories `repeats` times, and the peer's page beside it."""
    each = total // 4 // len(TASKS)
    run = write_run(folder / "run", Shape(questions=each, teacher=total // 4, tasks=TASKS))
    ours = [_child(_CHILD, str(run)) for _ in range(repeats)]
    stored = [str(run / "trajectories"), *(str(cell) for cell in sorted((run / "scores").iterdir()))]
    peers = [_child(_PEER, str(folder / "peer.html"), *stored) for _ in range(repeats)]
    seconds, peaks = ([[item[key] for item in found] for found in (ours, peers)] for key in ("seconds", "peak_gib"))
    claims = [
        at_most("build", seconds[0], 60, "s", seconds[1]),
        at_most("peak memory of the build", peaks[0], 2, "GiB", peaks[1]),
        at_most("page size", [_megabytes(ours[0]["page"])], 100, "MB", [_megabytes(peers[0]["page"])]),
    ]
    if chromium() is None:
        print("no Chromium or no Playwright: opening and searching were not measured", file=sys.stderr)
        return claims
    return claims + _in_browser(Path(ours[0]["page"]), Path(peers[0]["page"]), repeats)


def _in_browser(page: Path, peer: Path, repeats: int) -> list[Claim]:
    opened, searchable, searched, peer_opened = [], [], [], []
    with browser() as running:
        for _ in range(repeats):
            with open_page(running, page, wait_for="#trajectories[data-ready]") as opening:
                opened.append(opening.seconds)
                start = time.perf_counter()
                opening.page.locator("#trajectories[data-searchable]").wait_for(timeout=120_000)
                searchable.append(opened[-1] + time.perf_counter() - start)
                searched += [_search_s(opening.page, text) for text in _SEARCHES]
            with open_page(running, peer, wait_for="#ready") as opening:
                peer_opened.append(opening.seconds)
    return [
        at_most("page opens, first trajectory shown", opened, 3, "s", peer_opened),
        at_most("all texts ready for search", searchable, 10, "s"),
        at_most("search answers", searched, 1, "s"),
    ]


def _search_s(page: Any, text: str) -> float:
    """Seconds from typing to the new count, the wait for further keys included."""
    script = """async (text) => {
      const input = document.querySelector("#text"), count = document.querySelector("#count");
      const changed = new Promise((resolve) => {
        const observer = new MutationObserver(() => { observer.disconnect(); resolve(); });
        observer.observe(count, { childList: true });
      });
      const start = performance.now();
      input.value = text;
      input.dispatchEvent(new Event("input"));
      await changed;
      return (performance.now() - start) / 1000;
    }"""
    return float(page.evaluate(script, text))


def _child(script: str, *arguments: str) -> dict[str, Any]:
    """Run in a process of its own, so that its peak memory is its own."""
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True, cwd=_REPOSITORY
    )
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def _megabytes(path: str) -> float:
    return os.path.getsize(path) / 1e6


if __name__ == "__main__":
    sys.exit(main())
