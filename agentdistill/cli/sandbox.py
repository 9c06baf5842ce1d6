"""`agentdistill sandbox run FILE|-`: run a file in a fresh session."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from agentdistill.cli.options import ConfigFile, Overrides
from agentdistill.config import SandboxConfig, load
from agentdistill.errors import UserError
from agentdistill.sandbox import Sandbox
from agentdistill.types import Outcome


def add(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="Run code in the sandbox.")
    group.command()(run)
    app.add_typer(group, name="sandbox")


def run(
    file: Annotated[str, typer.Argument(help="A Python file, or - for standard input.")],
    config: ConfigFile = None,
    overrides: Overrides = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print the outcome as one JSON object.")] = False,
) -> None:
    """Run a file in a fresh session and print the outcome; exit status 1 where the code failed."""
    outcome = run_file(file, load(config, overrides).sandbox)
    print_outcome(outcome, json_output)
    if outcome.error is not None or outcome.limit is not None:
        raise typer.Exit(1)


def run_file(path: str | Path, config: SandboxConfig | None = None) -> Outcome:
    """The outcome of the program in a file, or of standard input where the path is "-", in a session of its own.

    Raises UserError where the file cannot be read as UTF-8, SandboxError where no session can be opened.
    """
    code = _read(str(path))
    with Sandbox.from_config(config or SandboxConfig()) as sandbox, sandbox.session() as session:
        return session.run(code)


def print_outcome(outcome: Outcome, as_json: bool) -> None:
    """Print what the program printed, then its value, answer, error and limit; or all fields as one JSON object."""
    if as_json:
        print(json.dumps(dataclasses.asdict(outcome)))
        return
    print(outcome.stdout, end="" if outcome.stdout.endswith("\n") or not outcome.stdout else "\n")
    if outcome.value is not None:
        print(outcome.value)
    if outcome.is_final:
        print(f"final answer: {outcome.final_answer}")
    if outcome.error is not None:
        print(f"{outcome.error.traceback}{outcome.error.type}: {outcome.error.message}", file=sys.stderr)
    if outcome.limit is not None:
        print(f"limit: {outcome.limit}", file=sys.stderr)


def _read(path: str) -> str:
    name = "standard input" if path == "-" else path
    try:
        data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"{name} cannot be read: {error.strerror or error}; expected a Python file, or -") from None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{name} is not UTF-8: byte {error.start} is {data[error.start]:#04x}") from None
