"""What the service counts. `Metrics` keeps the figures of one replica; `ray_metrics` also reports them to Ray."""

from __future__ import annotations

from collections import Counter
from typing import Any

from agentdistill.types import Outcome

_WAIT_BOUNDARIES_S = [0.001, 0.01, 0.1, 1.0, 10.0, 60.0]


class Metrics:
    """Counts in this process."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.sessions = 0
        self.wait_s = 0.0

    def set_sessions(self, number: int) -> None:
        self.sessions = number

    def count_run(self, outcome: Outcome) -> None:
        self.counts["runs"] += 1
        if outcome.limit:
            self.counts[f"limit_{outcome.limit}"] += 1

    def count_busy(self) -> None:
        self.counts["busy"] += 1

    def count_expired(self) -> None:
        self.counts["expired"] += 1

    def observe_wait(self, seconds: float) -> None:
        self.wait_s += seconds

    def as_dict(self) -> dict[str, float]:
        return {**self.counts, "sessions": self.sessions, "wait_s": self.wait_s}


class RayMetrics(Metrics):
    """The same, seen by Ray's metrics (Prometheus) as sandbox_*."""

    def __init__(self) -> None:
        from ray.util import metrics

        super().__init__()
        self._sessions: Any = metrics.Gauge("sandbox_sessions_open", "Sessions that the replica holds")
        self._runs: Any = metrics.Counter("sandbox_runs", "Programs run, candidates included")
        self._limits: Any = metrics.Counter("sandbox_limits", "Programs that hit a limit", tag_keys=("limit",))
        self._busy: Any = metrics.Counter("sandbox_busy", "Calls answered busy")
        self._expired: Any = metrics.Counter("sandbox_expired", "Sessions closed because nobody used them")
        self._wait: Any = metrics.Histogram(
            "sandbox_queue_wait_s", "Seconds that a program waited for its turn", boundaries=_WAIT_BOUNDARIES_S
        )

    def set_sessions(self, number: int) -> None:
        super().set_sessions(number)
        self._sessions.set(number)

    def count_run(self, outcome: Outcome) -> None:
        super().count_run(outcome)
        self._runs.inc()
        if outcome.limit:
            self._limits.inc(tags={"limit": outcome.limit.value})

    def count_busy(self) -> None:
        super().count_busy()
        self._busy.inc()

    def count_expired(self) -> None:
        super().count_expired()
        self._expired.inc()

    def observe_wait(self, seconds: float) -> None:
        super().observe_wait(seconds)
        self._wait.observe(seconds)
