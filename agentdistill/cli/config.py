"""`agentdistill config`."""

from __future__ import annotations

import typer

from agentdistill.cli.options import ConfigFile, Overrides
from agentdistill.config import load, to_yaml


def add(app: typer.Typer) -> None:
    app.command(name="config")(show)


def show(config: ConfigFile = None, overrides: Overrides = None) -> None:
    """Print the resolved config: what a run would be made with."""
    print(to_yaml(load(config, overrides)), end="")
