"""`--dry-run`: the phases that a run would do, and what each will ask the cluster for."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from agentdistill.config import RunConfig
from agentdistill.console import console
from agentdistill.run.phases.base import Ask, Call, Need
from agentdistill.run.planning.needs import shown


def print_plan(config: RunConfig, calls: Sequence[Call]) -> None:
    """Print the plan; starts nothing and reads no data."""
    table = Table(title=f"Run {config.name} in {config.folder}", title_justify="left")
    for heading in ("phase", "does"):
        table.add_column(heading)
    table.add_column("workers")
    table.add_column("CPUs", justify="right")
    table.add_column("GPUs", justify="right")
    for ask in asks(calls):
        table.add_row(ask.phase, ask.does, ask.workers, f"{ask.cpus:g}", f"{ask.gpus:g}")
    console.print(table)
    if found := needs(calls):
        console.print(_needs_table(found))


def asks(calls: Sequence[Call]) -> list[Ask]:
    """What each asks for. GPUs count where the config names them, or where an engine or worker would take one."""
    return [call.phase.ask(call) for call in calls]


def needs(calls: Sequence[Call]) -> list[Need]:
    """The needs of those about which something can be said."""
    found = [need for call in calls if (need := call.phase.need(call)) is not None]
    return [need for need in found if need != Need(need.phase)]


def _needs_table(found: list[Need]) -> Table:
    table = Table(title="What the phases need: derived from the config, nothing is measured", title_justify="left")
    table.add_column("phase")
    for heading in ("each GPU, GB", "memory, GB", "disk, GB", "tokens at most"):
        table.add_column(heading, justify="right")
    table.add_column("what of")
    for need in found:
        sizes = (_size(value) for value in (need.gpu_gb, need.memory_gb, need.disk_gb))
        table.add_row(need.phase, *sizes, shown(need.tokens) if need.tokens else "", need.why)
    return table


def _size(gb: float | None) -> str:
    if gb is None:
        return ""
    return f"{gb:.1f}" if gb >= 0.05 else "< 0.1"
