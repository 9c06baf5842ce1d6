"""The command line: one command a phase, `key=value` overrides on each, one sentence where something is wrong."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from agentdistill import __version__
from agentdistill.cli import config, doctor, index, phases, recipe, sandbox, serve, status, traces, train
from agentdistill.console import console
from agentdistill.run.job import plain_errors

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Distils what a large language-model agent does into a small model. Overrides are written key=value.",
)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; a deliberate error is one sentence and exit status 2, Ctrl-C is 130."""
    try:
        with plain_errors():
            status = _call(arguments)
    except Exception as error:
        # Typer's own usage errors know how to show themselves; everything else is a defect and keeps its traceback.
        if hasattr(error, "show") and hasattr(error, "exit_code"):
            error.show()
            sys.exit(error.exit_code)
        raise
    if isinstance(status, int) and status:
        sys.exit(status)


def _call(arguments: list[str] | None) -> object:
    try:
        return app(args=arguments, standalone_mode=False)
    except typer.Abort:
        raise KeyboardInterrupt from None


@app.callback(invoke_without_command=True)
def version(show: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """Distils what a large language-model agent does into a small model."""
    if show:
        console.print(__version__)
        raise typer.Exit


for subject in (phases, train, recipe, status, traces, serve, index, sandbox, config, doctor):
    subject.add(app)
