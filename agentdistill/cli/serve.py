"""`agentdistill serve`."""

from __future__ import annotations

import typer

from agentdistill.cli.options import ConfigFile, DryRun, Overrides, Verbose, tell
from agentdistill.run import Run


def add(app: typer.Typer) -> None:
    app.command()(serve)


def serve(
    config: ConfigFile = None, overrides: Overrides = None, verbose: Verbose = False, dry_run: DryRun = False
) -> None:
    """Host the retriever and the sandbox until Ctrl-C."""
    tell("serve", _serve, config, overrides, verbose, dry_run)


def _serve(run: Run) -> None:
    from agentdistill.serve.host import serve_until_stopped

    run.index()
    serve_until_stopped(run)
