"""The tables that a run ends with."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from agentdistill.console import console


def print_results(cells: dict[str, dict[str, Any]]) -> None:
    """One row a cell: accuracy with its 95% interval; means an episode; the share of invalid actions."""
    table = Table(title="Student on held-out questions", title_justify="left", title_style="bold")
    table.add_column("student", no_wrap=True)
    for heading in ("correct", "accuracy (95% CI)", "steps", "tokens", "tools", "invalid"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, cell in cells.items():
        table.add_row(
            name,
            f"{cell['num_correct']}/{cell['num_episodes'] - cell['num_failed'] - cell['num_ungraded']}",
            f"{cell['percent']}{_interval(cell)}",
            f"{cell['steps']:.1f}",
            f"{cell['completion_tokens']:.0f}",
            f"{cell['tool_calls']:.1f}",
            f"{100 * cell['invalid_action_share']:.1f}%",
        )
    console.print(table)
    if len({task for cell in cells.values() for task in cell["by_task"]}) > 1:
        console.print(_by_task(cells))
    lost = sum(cell["num_lost"] for cell in cells.values())
    if lost:
        console.print(f"{lost} episodes failed by the system and count for nobody; run the same command again.")


def _by_task(cells: dict[str, dict[str, Any]]) -> Table:
    tasks = list(dict.fromkeys(task for cell in cells.values() for task in cell["by_task"]))
    table = Table(title="Accuracy by task, %", title_justify="left", title_style="bold")
    table.add_column("student", no_wrap=True)
    for task in (*tasks, "average"):
        table.add_column(task, justify="right", no_wrap=True)
    for name, cell in cells.items():
        found = [*(cell["by_task"].get(task) for task in tasks), cell["average"]]
        table.add_row(name, *(_percent(item) for item in found))
    return table


def _percent(estimate: dict[str, Any] | None) -> str:
    return "–" if estimate is None or estimate["accuracy"] is None else f"{100 * estimate['accuracy']:.1f}"


def _interval(cell: dict[str, Any]) -> str:
    return "" if cell["accuracy"] is None else f" ({100 * cell['low']:.1f} to {100 * cell['high']:.1f}%)"
