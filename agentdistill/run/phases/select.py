"""training_set/: the trajectories that are fit to learn from."""

from __future__ import annotations

import dataclasses
from typing import Any

from agentdistill.console import console
from agentdistill.run.episodes import described_tools
from agentdistill.run.phases.base import Ask, Call, Phase

_SWITCHES = (
    "correct", "no_parse_error", "within_steps", "drop_repeated", "trim_repeated", "deduplicate", "near_duplicates",
)  # fmt: skip


def do(call: Call) -> dict[str, Any]:
    """Apply the rules; say how many each dropped."""
    from agentdistill.select import select

    funnel = call.folder.funnel(call.suffix)
    tools = described_tools(call.config)
    summary = select(call.inputs["trajectories"].path, call.output.path, funnel, call.config.select, tools)
    for reason, count in summary.dropped.items():
        console.print(f"  dropped {count}: {reason}", style="dim")
    return dataclasses.asdict(summary)


def brief(summary: dict[str, Any]) -> str:
    return f"{summary['kept']} of {summary['total']} trajectories kept"


def ask(call: Call) -> Ask:
    config = call.config.select
    rules = [name for name in _SWITCHES if getattr(config, name)]
    most = config.max_per_question
    kept = "keep " + ", ".join(rules) + (f", the {most} {config.per_question} of a question" if most else "")
    return Ask(call.name, kept, "this process", 1, 0)


SELECT = Phase("select", "Selection", ("select", "tools"), do, brief, ask, follows=True)
