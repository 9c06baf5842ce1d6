"""`agentdistill import`: trajectories that others published, into a run folder."""

from __future__ import annotations

from typing import Annotated, Literal, cast

import typer

from agentdistill.cli.options import ConfigFile, Overrides
from agentdistill.config import RunConfig, load
from agentdistill.console import StageProgress, console
from agentdistill.errors import ConfigError
from agentdistill.run.job import working
from agentdistill.traces.importing import ImportSummary, import_trajectories
from agentdistill.types import Kind


def add(app: typer.Typer) -> None:
    app.command("import")(import_command)


def import_command(
    source: Annotated[str, typer.Argument(help="A JSON Lines or Parquet file, or hub:OWNER/NAME[:SPLIT].")],
    config: ConfigFile = None,
    overrides: Overrides = None,
    form: Annotated[str, typer.Option(help="auto, smolagents or chat.")] = "auto",
    task: Annotated[str | None, typer.Option(help="The task's name; by default the source's.")] = None,
    kind: Annotated[str | None, typer.Option(help="math or factual; by default each row's own.")] = None,
) -> None:
    """Trajectories that others published -> trajectories/ of a run folder, ready for `select`."""
    summary = _import(load(config, overrides), source, form, task, kind)
    for reason, count in summary.skipped.items():
        console.print(f"  skipped {count}: {reason}", style="dim", markup=False)
    console.print(f"{summary.imported} of {summary.total} trajectories imported")
    console.print(f"Trajectories: {summary.folder}", soft_wrap=True)


def _import(config: RunConfig, source: str, form: str, task: str | None, kind: str | None) -> ImportSummary:
    """Import into the run folder's `trajectories/`, under its lock. Raises ConfigError, DataError, RunFolderError."""
    for name, value, known in (("--form", form, ("auto", "smolagents", "chat")), ("--kind", kind, tuple(Kind))):
        if value is not None and value not in known:
            raise ConfigError(f"{name} is {value}, expected one of {', '.join(known)}")
    with working(config) as run, StageProgress("rows") as progress:
        run.prepare()
        return import_trajectories(
            source,
            run.folder.trajectories(),
            form=cast(Literal["auto", "smolagents", "chat"], form),
            task=task,
            kind=None if kind is None else Kind(kind),
            on_progress=lambda read, imported: progress.update(read, None, f"{imported} imported"),
        )
