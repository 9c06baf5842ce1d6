"""What every command and job file shares: its arguments, the folder's lock, the log, and how it ends.

with job(__doc__) as run:
    questions = run.questions()
    ...
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from agentdistill.config import RunConfig, load
from agentdistill.console import console, error_console, quiet_logs
from agentdistill.errors import AgentDistillError
from agentdistill.run.planning.plan import print_plan
from agentdistill.run.results import print_results
from agentdistill.run.run import Run
from agentdistill.urls import redact_url


@contextlib.contextmanager
def job(description: str | None) -> Iterator[Run]:
    """The run that a job file's arguments name (`--config FILE`, `key=value`, `--verbose`, `--dry-run`).

    The folder is locked and the log open while the block works; it ends with where the output is. With `--dry-run` the
    verbs only note what they ask for, and the plan is printed. A deliberate error is one sentence and exit status 2,
    Ctrl-C is 130, exactly as on the command line.
    """
    arguments = _parser(description).parse_intermixed_args()
    with plain_errors():
        config = load(arguments.config, arguments.overrides)
        if arguments.dry_run:
            run = Run(config, planning=True)
            yield run
            print_plan(config, run.calls)
            return
        with working(config) as run, quiet_logs(run.folder.log(Path(sys.argv[0]).stem), arguments.verbose):
            console.print(f"Run [bold]{config.name}[/bold] in {config.folder}")
            yield run
            _print_scores(run)
        conclude(run)


@contextlib.contextmanager
def working(config: RunConfig) -> Iterator[Run]:
    """A run whose folder nobody else works in meanwhile. Raises RunFolderError where somebody does."""
    run = Run(config)
    with run.folder.locked():
        yield run


def perform(story: Callable[[Run], object], config: RunConfig, command: str, *, verbose: bool, dry_run: bool) -> None:
    """Run a story of verbs as a command does: planned and checked as a whole, before anything is changed."""
    planned = Run(config, planning=True)
    story(planned)
    if dry_run:
        print_plan(config, planned.calls)
        return
    with working(config) as run:
        run.check(planned)
        run.prepare()
        with quiet_logs(run.folder.log(command), verbose):
            names = ", ".join(call.name for call in planned.calls)
            console.print(f"Run [bold]{config.name}[/bold] in {config.folder}: {names}")
            story(run)
            _print_scores(run)
    conclude(run)


def conclude(run: Run) -> None:
    """Say where the output of the last phase is."""
    if run.calls:
        output = run.calls[-1].output
        console.print(f"{output.word}: {output.place}", soft_wrap=True)


def _print_scores(run: Run) -> None:
    for call in run.calls:
        if call.phase.kind == "evaluate":
            print_results(call.output.summary["cells"])


@contextlib.contextmanager
def plain_errors() -> Iterator[None]:
    """How a process ends: a deliberate error is one sentence and exit status 2, Ctrl-C is 130."""
    try:
        yield
    except (AgentDistillError, FileNotFoundError) as error:
        error_console.print(f"agentdistill: {redact_url(' '.join(str(error).split()))}", markup=False, soft_wrap=True)
        sys.exit(2)
    except KeyboardInterrupt:
        error_console.print("\nstopped; the same command goes on where this one was", markup=False)
        sys.exit(130)


def _parser(description: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="settings, as in train.learning_rate=1e-4")
    parser.add_argument("--config", "-c", type=Path, metavar="FILE", help="a YAML file; see configs/")
    parser.add_argument("--verbose", "-v", action="store_true", help="show the logs of Ray, vLLM and DeepSpeed")
    parser.add_argument("--dry-run", action="store_true", help="print what would be done, and do nothing")
    return parser
