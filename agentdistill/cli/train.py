"""`agentdistill train`, with a look before training, and the later ranks of torchrun."""

from __future__ import annotations

import os
from typing import Annotated

import typer
from rich.table import Table

from agentdistill import storage
from agentdistill.cli.options import ConfigFile, DryRun, Overrides, Verbose, tell
from agentdistill.config import RunConfig, load
from agentdistill.console import console, quiet_logs
from agentdistill.run import Run
from agentdistill.run.folder import RunFolder


def add(app: typer.Typer) -> None:
    app.command()(train)


def train(
    config: ConfigFile = None,
    overrides: Overrides = None,
    verbose: Verbose = False,
    dry_run: DryRun = False,
    preview: Annotated[int, typer.Option(help="Show so many examples with their trained tokens, and stop.")] = 0,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Print the memory that training takes, and stop.")
    ] = False,
) -> None:
    """Training set -> student."""
    if preview or estimate:
        loaded = load(config, overrides)
        if preview:
            _show_preview(loaded, preview)
        if estimate:
            _show_estimate(loaded)
    elif _is_later_rank():
        _train_beside(load(config, overrides), verbose)
    else:
        tell("train", Run.train, config, overrides, verbose, dry_run)


def _is_later_rank() -> bool:
    """Whether torchrun started this process as another than the first."""
    return "TORCHELASTIC_RUN_ID" in os.environ and int(os.environ.get("RANK", "0")) > 0


def _train_beside(config: RunConfig, verbose: bool) -> None:
    """Train this rank's share; the first rank holds the folder's lock, shows progress and records the phase."""
    from agentdistill.train.job import train as train_student

    folder = RunFolder(config.folder)
    with quiet_logs(folder.log(f"train-rank{os.environ['RANK']}"), verbose):
        train_student(config.train, storage.join(folder.training_set(), "examples.parquet"), folder.path)


def _show_preview(config: RunConfig, count: int) -> None:
    """Print the first `count` examples of the training set, trained tokens in colour."""
    from agentdistill.train.data.preview import preview

    examples = storage.join(RunFolder(config.folder).training_set(), "examples.parquet")
    for text in preview(config.train, examples, count):
        console.print(text, soft_wrap=True)


def _show_estimate(config: RunConfig) -> None:
    """Print the memory of one worker for each ZeRO stage; derived figures, not measured ones."""
    from agentdistill.train.estimate import estimate

    table = Table(title=f"Memory of one worker, GiB (derived): {config.train.model}", title_justify="left")
    table.add_column("ZeRO")
    rows = estimate(config.train)
    names = [name for name in rows[0].__slots__ if name.endswith("_gb")]
    for name in names:
        table.add_column(name.removesuffix("_gb").replace("_", " "), justify="right")
    table.add_column("total", justify="right")
    table.add_column("fits")
    for row in rows:
        parts = [f"{getattr(row, name):.1f}" for name in names]
        table.add_row(str(row.zero_stage), *parts, f"{row.total_gb:.1f}", ", ".join(row.fits))
    console.print(table)
