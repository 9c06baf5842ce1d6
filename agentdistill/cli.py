"""The command line: one command per stage, `key=value` overrides on each, one sentence where something is wrong."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from agentdistill import __version__
from agentdistill.config import load, to_yaml
from agentdistill.console import console, error_console, quiet_logs
from agentdistill.errors import AgentDistillError
from agentdistill.pipeline.access import check_access
from agentdistill.pipeline.folder import STAGES, RunFolder
from agentdistill.urls import redact_url

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Distils what a large language-model agent does into a small model. Overrides are written key=value.",
)
index_app = typer.Typer(no_args_is_help=True, help="Build and query the retriever's index.")
sandbox_app = typer.Typer(no_args_is_help=True, help="Run code in the sandbox.")
app.add_typer(index_app, name="index")
app.add_typer(sandbox_app, name="sandbox")

ConfigFile = Annotated[Path | None, typer.Option("--config", "-c", help="A YAML file; see configs/.")]
Overrides = Annotated[list[str] | None, typer.Argument(help="key=value, as in train.learning_rate=1e-4")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show the logs of Ray, vLLM and DeepSpeed.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would be done, and do nothing.")]

#: The built-in demo's config, found from any folder of the checkout.
DEMO_CONFIG = Path(__file__).parents[1] / "configs" / "demo.yaml"


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; a deliberate error is one sentence and exit status 2, Ctrl-C is 130."""
    try:
        status = app(args=arguments, standalone_mode=False)
    except (AgentDistillError, FileNotFoundError) as error:
        error_console.print(f"agentdistill: {_sentence(error)}", markup=False, soft_wrap=True)
        sys.exit(2)
    except (KeyboardInterrupt, typer.Abort):
        error_console.print("\nstopped; the same command goes on where this one was", markup=False)
        sys.exit(130)
    except Exception as error:
        # Typer's own usage errors know how to show themselves; everything else is a defect and keeps its traceback.
        if hasattr(error, "show") and hasattr(error, "exit_code"):
            error.show()
            sys.exit(error.exit_code)
        raise
    if isinstance(status, int) and status:
        sys.exit(status)


def _sentence(error: BaseException) -> str:
    return redact_url(" ".join(str(error).split()))


def run_command(
    command: str,
    stages: tuple[str, ...],
    config_path: Path | None,
    overrides: list[str] | None,
    verbose: bool = False,
    dry_run: bool = False,
) -> RunFolder:
    """What every command and job file does: load, lock, say what, run the stages, say where the output is."""
    config = load(config_path, overrides)
    folder = RunFolder(config.folder)
    if dry_run:
        from agentdistill.pipeline.plan import print_plan

        print_plan(config, stages)
        return folder
    check_access(config, tuple(stage for stage in stages if not folder.has_finished(stage)))
    with folder.locked():
        folder.check(stages, config)
        if "rollout" in stages and config.rollout.reuse is not None and folder.settings("rollout") is None:
            from agentdistill.pipeline.reuse import check_source

            check_source(config)
        folder.prepare(config)
        with quiet_logs(folder.log(command), verbose):
            from agentdistill.pipeline.stages import Run, run_stages

            console.print(f"Run [bold]{config.name}[/bold] in {config.folder}: {', '.join(stages)}")
            run_stages(Run(config, folder), stages)
    return folder


@app.callback(invoke_without_command=True)
def version(show: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """Distils what a large language-model agent does into a small model."""
    if show:
        console.print(__version__)
        raise typer.Exit


@app.command()
def demo(overrides: Overrides = None, verbose: Verbose = False, dry_run: DryRun = False) -> None:
    """One complete distillation on this machine, in about ten minutes on two cores; only the teacher is scripted."""
    folder = run_command("demo", STAGES, DEMO_CONFIG, overrides, verbose, dry_run)
    if not dry_run:
        console.print(f"Report: {folder.summary('report')['page']}", soft_wrap=True)


@app.command()
def distill(
    config: ConfigFile = None, overrides: Overrides = None, verbose: Verbose = False, dry_run: DryRun = False
) -> None:
    """All stages, from questions to report."""
    folder = run_command("distill", STAGES, config, overrides, verbose, dry_run)
    if not dry_run:
        console.print(f"Report: {folder.summary('report')['page']}", soft_wrap=True)


@app.command()
def rollout(
    config: ConfigFile = None, overrides: Overrides = None, verbose: Verbose = False, dry_run: DryRun = False
) -> None:
    """Questions -> trajectories: the teacher acts on every training question."""
    folder = run_command("rollout", ("questions", "index", "rollout"), config, overrides, verbose, dry_run)
    if not dry_run:
        console.print(f"Trajectories: {folder.trajectories}", soft_wrap=True)


@app.command()
def select(
    config: ConfigFile = None, overrides: Overrides = None, verbose: Verbose = False, dry_run: DryRun = False
) -> None:
    """Trajectories -> training set."""
    folder = run_command("select", ("select",), config, overrides, verbose, dry_run)
    if not dry_run:
        console.print(f"Training set: {folder.training_set}", soft_wrap=True)


@app.command()
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
        from agentdistill.pipeline.training_views import show_estimate, show_preview

        loaded = load(config, overrides)
        if preview:
            show_preview(loaded, preview)
        if estimate:
            show_estimate(loaded)
        return
    from agentdistill.pipeline.ranks import is_later_rank, train_beside

    if is_later_rank():
        train_beside(load(config, overrides), verbose)
        return
    folder = run_command("train", ("train",), config, overrides, verbose, dry_run)
    if not dry_run:
        console.print(f"Student: {folder.summary('train')['student']}", soft_wrap=True)


@app.command()
def evaluate(
    config: ConfigFile = None, overrides: Overrides = None, verbose: Verbose = False, dry_run: DryRun = False
) -> None:
    """Student -> scores, on the held-out questions."""
    folder = run_command("evaluate", ("questions", "index", "evaluate"), config, overrides, verbose, dry_run)
    if not dry_run:
        console.print(f"Scores: {folder.scores}", soft_wrap=True)


@app.command()
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


@app.command("import")
def import_command(
    source: Annotated[str, typer.Argument(help="A JSON Lines or Parquet file, or hub:OWNER/NAME[:SPLIT].")],
    config: ConfigFile = None,
    overrides: Overrides = None,
    form: Annotated[str, typer.Option(help="auto, smolagents or chat.")] = "auto",
    task: Annotated[str | None, typer.Option(help="The task's name; by default the source's.")] = None,
    kind: Annotated[str | None, typer.Option(help="math or factual; by default each row's own.")] = None,
) -> None:
    """Trajectories that others published -> trajectories/ of a run folder, ready for `select`."""
    from agentdistill.pipeline.importing import import_into

    summary = import_into(load(config, overrides), source, form, task, kind)
    for reason, count in summary.skipped.items():
        console.print(f"  skipped {count}: {reason}", style="dim", markup=False)
    console.print(f"{summary.imported} of {summary.total} trajectories imported")
    console.print(f"Trajectories: {summary.folder}", soft_wrap=True)


@app.command()
def serve(config: ConfigFile = None, overrides: Overrides = None, verbose: Verbose = False) -> None:
    """Host the retriever and the sandbox until Ctrl-C."""
    from agentdistill.serve.host import serve_until_stopped

    serve_until_stopped(load(config, overrides), verbose)


@app.command()
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


@app.command(name="config")
def show_config(config: ConfigFile = None, overrides: Overrides = None) -> None:
    """Print the resolved config: what a run would be made with."""
    print(to_yaml(load(config, overrides)), end="")


@index_app.command("build")
def index_build_command(config: ConfigFile = None, overrides: Overrides = None) -> None:
    """Corpus -> vectors -> index; goes on where an earlier build stopped."""
    from agentdistill.retrieval.command import index_build

    index_build(load(config, overrides).retriever, console.print)


@index_app.command("search")
def index_search_command(
    query: Annotated[str, typer.Argument(help="What to look for.")],
    config: ConfigFile = None,
    overrides: Overrides = None,
    k: Annotated[int | None, typer.Option(help="How many passages.")] = None,
) -> None:
    """Print the passages that fit a query best."""
    from agentdistill.retrieval.command import index_search

    index_search(load(config, overrides).retriever, query, k, _print_plain)


@index_app.command("info")
def index_info_command(folder: Annotated[str, typer.Argument(help="The folder of an index.")]) -> None:
    """Print what an index says about itself, after a check that its files are whole."""
    from agentdistill.retrieval.command import index_info

    index_info(folder, _print_plain)


@sandbox_app.command("run")
def sandbox_run_command(
    file: Annotated[str, typer.Argument(help="A Python file, or - for standard input.")],
    config: ConfigFile = None,
    overrides: Overrides = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print the outcome as one JSON object.")] = False,
) -> None:
    """Run a file in a fresh session and print the outcome; exit status 1 where the code failed."""
    from agentdistill.sandbox.host.command import print_outcome, run_file

    outcome = run_file(file, load(config, overrides).sandbox)
    print_outcome(outcome, json_output)
    if outcome.error is not None or outcome.limit is not None:
        raise typer.Exit(1)


def _print_plain(line: str) -> None:
    """Passages and paths are text, not markup."""
    console.print(line, markup=False, soft_wrap=True)


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    main()
