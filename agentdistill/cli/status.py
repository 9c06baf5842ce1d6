"""`agentdistill status`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from agentdistill.console import console
from agentdistill.errors import RunFolderError
from agentdistill.run.folder import RunFolder
from agentdistill.run.kinds import PHASES
from agentdistill.run.record.state import Record, State


def add(app: typer.Typer) -> None:
    app.command()(status)


def status(run: Annotated[str, typer.Argument(help="A run folder.")]) -> None:
    """The phases that were begun in a run folder, and what came of those that are done."""
    found = State(RunFolder(run).state).records()
    if not found:
        raise RunFolderError(f"{run}: nothing was begun here, expected a run folder with records in state/")
    table = Table(box=None, padding=(0, 2))
    for heading in ("phase", "done at", "what came of it"):
        table.add_column(heading)
    for name in sorted(found, key=lambda name: _place(found[name])):
        record = found[name]
        table.add_row(name, record.finished_at or "begun", _brief(record))
    console.print(table)


def _place(record: Record) -> int:
    """In the order of the path that data takes; what else there is comes last."""
    kinds = list(PHASES)
    return kinds.index(record.kind) if record.kind in kinds else len(kinds)


def _brief(record: Record) -> str:
    phase = PHASES.get(record.kind)
    if record.summary is None or not record.is_finished:
        return ", ".join(f"{key}: {value}" for key, value in record.settings.items()) if phase is None else ""
    try:
        return str(record.summary) if phase is None else phase.brief(record.summary)
    except (KeyError, TypeError):  # of a version that told other things, or written by hand
        return str(record.summary)
