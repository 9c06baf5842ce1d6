"""`agentdistill recipe list | plan | run`."""

from __future__ import annotations

import inspect

import typer

from agentdistill import plugins
from agentdistill.cli.options import ConfigFile, DryRun, Overrides, Verbose, print_plain
from agentdistill.cli.phases import run_recipe


def add(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="What a run does, as functions that spell its verbs.")
    group.command("list")(show_list)
    group.command("plan")(plan)
    group.command("run")(run)
    app.add_typer(group, name="recipe")


def show_list() -> None:
    """The recipes that are known by name: those that come with this package, then those of installed ones."""
    for name in plugins.names("recipe"):
        description = inspect.getdoc(plugins.load("recipe", name)) or ""
        print_plain(f"{name:<12} {description.partition(chr(10))[0]}")


def plan(config: ConfigFile = None, overrides: Overrides = None) -> None:
    """What the config's recipe would do, and what it would ask the cluster for."""
    run_recipe("recipe", config, overrides, verbose=False, dry_run=True)


def run(
    config: ConfigFile = None, overrides: Overrides = None, verbose: Verbose = False, dry_run: DryRun = False
) -> None:
    """The config's recipe, as `distill` runs it."""
    run_recipe("recipe", config, overrides, verbose, dry_run)
