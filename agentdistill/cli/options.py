"""The options that commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from agentdistill.config import load
from agentdistill.console import console
from agentdistill.run import Run
from agentdistill.run.job import perform

ConfigFile = Annotated[Path | None, typer.Option("--config", "-c", help="A YAML file; see configs/.")]
Overrides = Annotated[list[str] | None, typer.Argument(help="key=value, as in train.learning_rate=1e-4")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show the logs of Ray, vLLM and DeepSpeed.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would be done, and do nothing.")]


def tell(
    command: str,
    story: Callable[[Run], object],
    config: Path | None,
    overrides: list[str] | None,
    verbose: bool,
    dry_run: bool,
) -> None:
    """Run a story of verbs under the command's name, for the log."""
    perform(story, load(config, overrides), command, verbose=verbose, dry_run=dry_run)


def print_plain(line: str) -> None:
    """Passages and paths are text, not markup."""
    console.print(line, markup=False, soft_wrap=True)
