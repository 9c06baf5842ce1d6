"""The commands of a run: one a phase, and all of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agentdistill.cli.options import ConfigFile, DryRun, Overrides, Verbose, tell
from agentdistill.config import load
from agentdistill.console import console
from agentdistill.recipes.choose import recipe_of
from agentdistill.run import Run
from agentdistill.run.job import perform

#: The built-in demo's config, found from any folder of the checkout.
DEMO_CONFIG = Path(__file__).parents[2] / "configs" / "demo.yaml"


def add(app: typer.Typer) -> None:
    for command in (demo, distill, rollout, select, evaluate, report):
        app.command()(command)


def demo(overrides: Overrides = None, verbose: Verbose = False, dry_run: DryRun = False) -> None:
    """One complete distillation on this machine, in about ten minutes on two cores; only the teacher is scripted."""
    run_recipe("demo", DEMO_CONFIG, overrides, verbose, dry_run)


def distill(
    config: ConfigFile = None, overrides: Overrides = None, verbose: Verbose = False, dry_run: DryRun = False
) -> None:
    """The config's recipe: with the paper's, all phases from questions to report."""
    run_recipe("distill", config, overrides, verbose, dry_run)


def rollout(
    config: ConfigFile = None, overrides: Overrides = None, verbose: Verbose = False, dry_run: DryRun = False
) -> None:
    """Questions -> trajectories -> training set: the teacher acts, and what is fit to learn from is selected."""
    tell("rollout", _rollout, config, overrides, verbose, dry_run)


def select(
    config: ConfigFile = None, overrides: Overrides = None, verbose: Verbose = False, dry_run: DryRun = False
) -> None:
    """Trajectories -> training set."""
    tell("select", Run.select, config, overrides, verbose, dry_run)


def evaluate(
    config: ConfigFile = None, overrides: Overrides = None, verbose: Verbose = False, dry_run: DryRun = False
) -> None:
    """Student -> scores, on the held-out questions."""
    tell("evaluate", _evaluate, config, overrides, verbose, dry_run)


def report(
    runs: Annotated[list[str], typer.Argument(help="Run folders.")],
    out: Annotated[
        str | None, typer.Option(help="The folder to write to; by default report/ in the first run.")
    ] = None,
) -> None:
    """Scores -> one self-contained page, tables and plots."""
    from agentdistill.report import build_report

    paths = build_report(runs, out)
    for note in paths.notes:
        console.print(f"  {note.run}: {note.part} {note.state}: {note.detail}", style="dim", markup=False)
    console.print(f"Report: {paths.page}", soft_wrap=True)


def run_recipe(command: str, config: Path | None, overrides: list[str] | None, verbose: bool, dry_run: bool) -> None:
    """Run the recipe that the config names."""
    loaded = load(config, overrides)
    perform(recipe_of(loaded), loaded, command, verbose=verbose, dry_run=dry_run)


def _rollout(run: Run) -> None:
    questions = run.questions()
    run.index()
    taught = run.rollout(questions.train)
    run.select(taught)


def _evaluate(run: Run) -> None:
    student = run.student()
    questions = run.questions()
    run.index()
    run.evaluate(questions.test, student)
