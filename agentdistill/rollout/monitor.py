"""One small actor that counts for all: progress for the driver, and the decision to stop a run that only fails."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import ray

from agentdistill.config import RolloutConfig
from agentdistill.errors import AgentDistillError
from agentdistill.types import StopReason

REPORT_S = 0.5
_COUNTS = ("finished", "failed", "correct", "completion_tokens")


@dataclass(frozen=True, slots=True)
class Ending:
    """What the monitor counts of one episode."""

    rollout: int  # the number of the rollout that it belongs to
    stop_reason: StopReason
    correct: bool
    completion_tokens: int
    error: str


class Reports:
    """An actor's endings on their way to the monitor, several in one message: a message costs more than a count."""

    def __init__(self, monitor: Any) -> None:
        self._monitor = monitor
        self._endings: list[Ending] = []

    def add(self, ending: Ending) -> None:
        """Report it within `REPORT_S`."""
        self._endings.append(ending)
        if len(self._endings) == 1:
            asyncio.get_running_loop().call_later(REPORT_S, self.send)

    def send(self) -> None:
        """Report now what waits."""
        endings, self._endings = self._endings, []
        if endings:
            self._monitor.report.remote(endings)


@ray.remote(num_cpus=0, max_concurrency=64)
class Monitor:
    """Counts what the rollout actors report. It holds no state that a restart of the run would need."""

    def __init__(self, config: RolloutConfig, rollouts: int = 1) -> None:
        self._config = config
        self._counts = [dict.fromkeys(_COUNTS, 0) for _ in range(rollouts)]
        self._deaths = 0
        self._last_error = ""
        self._fatal: AgentDistillError | None = None
        self._actors: list[ray.actor.ActorHandle] = []

    def join(self, actor: ray.actor.ActorHandle) -> None:
        """A rollout actor says that it works."""
        self._actors.append(actor)

    def actors(self) -> list[ray.actor.ActorHandle]:
        """Every actor that ever worked; some may be dead."""
        return self._actors

    def report(self, endings: list[Ending]) -> None:
        """These episodes ended."""
        for ending in endings:
            counts = self._counts[ending.rollout]
            if ending.stop_reason.is_system:
                counts["failed"] += 1
                self._last_error = ending.error
            else:
                counts["finished"] += 1
                counts["correct"] += ending.correct
            counts["completion_tokens"] += ending.completion_tokens

    def engine_died(self, error: str) -> None:
        """An actor is about to end itself because its engine is dead or hangs."""
        self._deaths += 1
        self._last_error = error

    def fail(self, error: AgentDistillError) -> None:
        """An actor cannot go on: the engine does not start, or the storage refuses. The first such error counts."""
        self._fatal = self._fatal or error

    def fatal(self) -> AgentDistillError | None:
        return self._fatal

    def counts(self) -> list[dict[str, int]]:
        """The counts of each rollout; engine deaths are those of all."""
        return [counts | {"engine_deaths": self._deaths} for counts in self._counts]

    def verdict(self) -> str:
        """Why the run should stop, or an empty string."""
        config = self._config
        failed, finished = (sum(counts[name] for counts in self._counts) for name in ("failed", "finished"))
        if self._deaths > config.max_engine_deaths:
            return f"the engine died {self._deaths} times; the last time: {self._last_error}"
        if failed >= config.min_failures and failed > config.max_failed_share * (finished + failed):
            return (
                f"{failed} of {finished + failed} episodes failed by the system, more than max_failed_share="
                f"{config.max_failed_share:g} allows; the last one: {self._last_error}"
            )
        return ""
