"""`agentdistill doctor`."""

from __future__ import annotations

import json
from typing import Annotated

import typer


def add(app: typer.Typer) -> None:
    app.command()(doctor)


def doctor(json_output: Annotated[bool, typer.Option("--json")] = False) -> None:
    """What this machine has, with a hint for each thing missing."""
    from agentdistill.doctor import examine, print_findings

    findings = examine()
    if json_output:
        print(json.dumps([finding.as_dict() for finding in findings]))
    else:
        print_findings(findings)
    if any(finding.required and not finding.ok for finding in findings):
        raise typer.Exit(1)
