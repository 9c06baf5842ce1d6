"""A run whose phases do nothing but leave a summary, so that what the run decides can be looked at alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agentdistill.config import RunConfig, load
from agentdistill.run import Run
from agentdistill.run.kinds import PHASES
from agentdistill.run.phases.base import Call, Phase

CELL = {
    "accuracy": 1.0, "low": 0.5, "high": 1.0, "percent": "100.0%", "by_task": {}, "average": None, "num_lost": 0,
    "num_correct": 1, "num_episodes": 1, "num_failed": 0, "num_ungraded": 0, "steps": 1.0, "completion_tokens": 3.0,
    "tool_calls": 0.0, "invalid_action_share": 0.0,
}  # fmt: skip
NO_JUDGE = {"answers": 0, "judged": 0, "failed": 0, "reasons": {}}

SUMMARIES: dict[str, dict[str, Any]] = {
    "questions": {"train": 3, "test": 2},
    "index": {"passages": 0, "kind": "none"},
    "rollout": {"folder": "", "total": 3, "finished": 3, "failed": 0, "reused": 0, "judge": NO_JUDGE},
    "score": NO_JUDGE,
    "select": {"path": "", "total": 3, "kept": 2, "dropped": {}},
    "train": {"student": "adapter", "is_adapter": True, "base_model": "m", "steps": 3, "loss": 0.5},
    "evaluate": {"cells": {"before": CELL, "after": CELL}, "judge": NO_JUDGE},
    "report": {"page": "report.html"},
}


class Worked:
    """Notes the phases that worked, in order; `raising` and `summaries` change what happens in one."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.raising: str | None = None
        self.summaries: dict[str, dict[str, Any]] = {}

    @property
    def phases(self) -> dict[str, Phase]:
        return {
            kind: dataclasses.replace(phase, do=self._doing(kind), is_there=lambda call: True)
            for kind, phase in PHASES.items()
        }

    def run(self, config: RunConfig, **options: Any) -> Run:
        return Run(config, phases=self.phases, **options)

    def _doing(self, kind: str) -> Callable[[Call], dict[str, Any]]:
        def do(call: Call) -> dict[str, Any]:
            self.names.append(call.name)
            if self.raising == call.name:
                raise RuntimeError(f"{call.name} was killed")
            return self.summaries.get(call.name, SUMMARIES[kind])

        return do


def config_for(folder: Path, *overrides: str) -> RunConfig:
    return load(None, [f"folder={folder}", *overrides])
