"""report/: the page that shows the run."""

from __future__ import annotations

from typing import Any

from agentdistill.run.phases.base import Ask, Call, Phase


def do(call: Call) -> dict[str, Any]:
    """Write the page, tables and plots."""
    from agentdistill.report import build_report

    paths = build_report([call.folder.path], call.output.path, call.config.report)
    return {"page": str(paths.page)}


def brief(summary: dict[str, Any]) -> str:
    return str(summary["page"])


def ask(call: Call) -> Ask:
    return Ask(call.name, "one page, tables and plots", "this process", 1, 0)


REPORT = Phase("report", "Report", ("report",), do, brief, ask, follows=True, gathers=True)
