"""`agentdistill index build | search | info`."""

from __future__ import annotations

from typing import Annotated

import typer

from agentdistill.cli.options import ConfigFile, DryRun, Overrides, Verbose, print_plain, tell
from agentdistill.config import load
from agentdistill.run import Run


def add(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="Build and query the retriever's index.")
    for command in (build, search, info):
        group.command()(command)
    app.add_typer(group, name="index")


def build(
    config: ConfigFile = None, overrides: Overrides = None, verbose: Verbose = False, dry_run: DryRun = False
) -> None:
    """Corpus -> vectors -> index; goes on where an earlier build stopped."""
    tell("index", Run.index, config, overrides, verbose, dry_run)


def search(
    query: Annotated[str, typer.Argument(help="What to look for.")],
    config: ConfigFile = None,
    overrides: Overrides = None,
    k: Annotated[int | None, typer.Option(help="How many passages.")] = None,
) -> None:
    """Print the passages that fit a query best."""
    from agentdistill.retrieval.command import index_search

    index_search(load(config, overrides).retriever, query, k, print_plain)


def info(folder: Annotated[str, typer.Argument(help="The folder of an index.")]) -> None:
    """Print what an index says about itself, after a check that its files are whole."""
    from agentdistill.retrieval.command import index_info

    index_info(folder, print_plain)
