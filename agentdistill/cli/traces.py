"""`agentdistill import` and `export`: trajectories of others into a run folder, and ours for others."""

from __future__ import annotations

from typing import Annotated

import typer

from agentdistill import plugins
from agentdistill.cli.options import ConfigFile, Overrides
from agentdistill.config import RunConfig, load
from agentdistill.console import StageProgress, console
from agentdistill.errors import ConfigError
from agentdistill.run.folder import RunFolder
from agentdistill.run.job import working
from agentdistill.traces.exporting import export_trajectories
from agentdistill.traces.importing import ImportSummary, import_trajectories
from agentdistill.traces.published import AUTO
from agentdistill.types import kind_of


def add(app: typer.Typer) -> None:
    app.command("import")(import_command)
    app.command("export")(export_command)


def import_command(
    source: Annotated[str, typer.Argument(help="A JSON Lines or Parquet file, or hub:OWNER/NAME[:SPLIT].")],
    config: ConfigFile = None,
    overrides: Overrides = None,
    form: Annotated[str, typer.Option(help="auto, smolagents, chat, or a form of your own.")] = "auto",
    task: Annotated[str | None, typer.Option(help="The task's name; by default the source's.")] = None,
    kind: Annotated[
        str | None, typer.Option(help="math, factual or a grader of your own; by default each row's own.")
    ] = None,
) -> None:
    """Trajectories that others published -> trajectories/ of a run folder, ready for `select`."""
    summary = _import(load(config, overrides), source, form, task, kind)
    for reason, count in summary.skipped.items():
        console.print(f"  skipped {count}: {reason}", style="dim", markup=False)
    console.print(f"{summary.imported} of {summary.total} trajectories imported")
    console.print(f"Trajectories: {summary.folder}", soft_wrap=True)


def export_command(
    run: Annotated[str, typer.Argument(help="A run folder.")],
    target: Annotated[str, typer.Argument(help="The JSON Lines file to write, on a path or a URL.")],
    form: Annotated[str, typer.Option(help="chat, or a form of your own.")] = "chat",
) -> None:
    """trajectories/ of a run folder -> a file in a form that others read."""
    count = export_trajectories(RunFolder(run).trajectories(), target, form)
    console.print(f"{count} trajectories in {target}", soft_wrap=True)


def _import(config: RunConfig, source: str, form: str, task: str | None, kind: str | None) -> ImportSummary:
    """Import into the run folder's `trajectories/`, under its lock. Raises ConfigError, DataError, RunFolderError."""
    if form != AUTO and not plugins.is_known("format", form):
        raise ConfigError(f"--form is {form}, expected {plugins.three_ways('format', form, (AUTO,))}")
    if kind is not None and not plugins.is_known("grader", kind):
        raise ConfigError(f"--kind is {kind}, expected {plugins.three_ways('grader', kind)}")
    with working(config) as run, StageProgress("rows") as progress:
        run.prepare()
        return import_trajectories(
            source,
            run.folder.trajectories(),
            form=form,
            task=task,
            kind=None if kind is None else kind_of(kind),
            on_progress=lambda read, imported: progress.update(read, None, f"{imported} imported"),
        )
