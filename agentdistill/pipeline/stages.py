"""One function per stage: what a command and a job file of that name do. They meet in the run folder alone."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentdistill import storage
from agentdistill.agent import EpisodeSettings, for_workers
from agentdistill.config import GradingConfig, RunConfig
from agentdistill.console import StageProgress, console, format_duration
from agentdistill.errors import ConfigError
from agentdistill.evaluate import TrainedStudent
from agentdistill.pipeline.folder import RunFolder
from agentdistill.pipeline.results import print_results
from agentdistill.pipeline.reuse import reuse_rollout
from agentdistill.pipeline.scoring import judge_answers, score, show_rollout
from agentdistill.rollout import RolloutSpec, run_rollout
from agentdistill.runtime.connection import ray_cluster
from agentdistill.runtime.services import Services, services
from agentdistill.schema import QUESTIONS, questions_from_table, questions_to_table
from agentdistill.select import select
from agentdistill.types import SEARCH_TOOL, Question, ToolText


@dataclass(frozen=True, slots=True)
class Run:
    """A run that a command works on."""

    config: RunConfig
    folder: RunFolder


def prepare_questions(run: Run) -> dict[str, Any]:
    """Load the questions, check that none stands in both sets, and write them into the run folder."""
    from agentdistill.tasks import check_questions, load_questions, without_overlap

    config = run.config.questions
    train = [question for task in config.train for question in load_questions(task)]
    test = [question for task in config.test for question in load_questions(task)]
    if config.train:  # none where there is nothing but an evaluation
        check_questions(train, "questions.train")
    check_questions(test, "questions.test")
    if config.check_overlap:
        kept = without_overlap(train, test, config.on_overlap)
        if len(kept) < len(train):
            console.print(f"  left out {len(train) - len(kept)} training questions that stand in the test set")
        train = kept
    storage.write_table(run.folder.train_questions, questions_to_table(train))
    storage.write_table(run.folder.test_questions, questions_to_table(test))
    return {"train": len(train), "test": len(test)}


def build_the_index(run: Run) -> dict[str, Any]:
    """Encode the corpus and build the retriever's index."""
    from agentdistill.retrieval.build import build_index

    if not run.config.retriever.enabled:
        return {"passages": 0, "kind": "none"}
    with StageProgress("index") as progress:
        info = build_index(
            run.config.retriever,
            corpus_rows(run.config),
            run.config.retriever.folder,
            progress=lambda what, done, total: progress.update(done, total or None, what),
        )
    return {"passages": info.count, "kind": run.config.retriever.index.kind}


def corpus_rows(config: RunConfig) -> Any:
    """The rows of the built-in corpus, or None where the config names a file."""
    if config.retriever.corpus != "builtin":
        return None
    from agentdistill.tasks.world import corpus

    return list(corpus())


def roll_out(run: Run) -> dict[str, Any]:
    """The teacher acts on every training question, or did so in another run."""
    config = run.config
    if config.rollout.reuse is not None:
        return reuse_rollout(run)
    questions = _questions(run.folder.train_questions)
    if not questions:
        raise ConfigError("questions.train is empty, expected at least one task for the teacher to act on")
    if config.teacher.engine.engine == "scripted":
        console.print(
            f"  The teacher is a scripted expert ({config.teacher.engine.expert}), not a model: it writes Thought and "
            "Code through the same\n  protocol, and its code and searches really run.",
            style="dim",
        )
    with ray_cluster(config.cluster), services(config, config.retriever.folder) as names:
        spec = rollout_spec(run, names)
        with StageProgress("episodes") as progress:
            summary = run_rollout(questions, spec, show_rollout(progress))
        judged = judge_answers([spec.folder], spec.grading)
    return {**dataclasses.asdict(summary), "judge": judged}


def rollout_spec(run: Run, names: Services) -> RolloutSpec:
    """The teacher's rollout as the config describes it."""
    config = run.config
    return RolloutSpec(
        folder=_absolute(run.folder.trajectories),
        engine=config.teacher.engine,
        settings=EpisodeSettings(
            run_id=config.name,
            agent=for_workers(config.teacher.agent),
            role="teacher",
            mode=config.teacher.mode,
            tools=described_tools(config),
            seed=config.seed,
        ),
        rollout=config.rollout,
        sandbox=config.sandbox,
        sandbox_app=names.sandbox,
        retriever_app=names.retriever,
        retriever=config.retriever,
        grading=_grading(run),
    )


def described_tools(config: RunConfig) -> tuple[ToolText, ...]:
    """What the prompts of this run say can be called, beside final_answer."""
    return (SEARCH_TOOL,) if config.retriever.enabled else ()


def select_examples(run: Run) -> dict[str, Any]:
    """Keep the trajectories that are fit for training."""
    folder = run.folder
    tools = described_tools(run.config)
    summary = select(folder.trajectories, folder.training_set, folder.funnel, run.config.select, tools)
    for reason, count in summary.dropped.items():
        console.print(f"  dropped {count}: {reason}", style="dim")
    return dataclasses.asdict(summary)


def train_student(run: Run) -> dict[str, Any]:
    """Fine-tune the student on the training set."""
    from agentdistill.train.job import train

    examples = storage.join(run.folder.training_set, "examples.parquet")
    here = run.config.train.launcher == "local"
    with contextlib.nullcontext() if here else ray_cluster(run.config.cluster), StageProgress("steps") as progress:
        summary = train(
            run.config.train,
            _absolute(examples),
            _absolute(run.folder.path),
            on_progress=lambda step: progress.update(
                step.step, step.num_steps, f"loss {step.loss:.3f}, {step.tokens_per_s:.0f} tokens/s"
            ),
        )
    return dataclasses.asdict(summary)


def evaluate_students(run: Run) -> dict[str, Any]:
    """Run the benchmark grid on the held-out questions."""
    config, folder = run.config, run.folder
    student = _trained_student(run)
    questions = _questions(folder.test_questions)
    with ray_cluster(config.cluster), services(config, config.retriever.folder) as names:
        return score(config.evaluate, questions, rollout_spec(run, names), _absolute(folder.scores), student)


def write_report(run: Run) -> dict[str, Any]:
    """Write the page that shows the run, and print the table of results."""
    from agentdistill.report import build_report

    paths = build_report([run.folder.path], None, run.config.report)
    return {"page": str(paths.page)}


STAGES: dict[str, Callable[[Run], dict[str, Any]]] = {
    "questions": prepare_questions,
    "index": build_the_index,
    "rollout": roll_out,
    "select": select_examples,
    "train": train_student,
    "evaluate": evaluate_students,
    "report": write_report,
}

_WORDS = {
    "questions": "Questions",
    "index": "Retriever's index",
    "rollout": "Teacher rollouts",
    "select": "Selection",
    "train": "Student training",
    "evaluate": "Evaluation",
    "report": "Report",
}


def run_stage(run: Run, stage: str) -> dict[str, Any]:
    """Run a stage unless it is finished, say so, and return its summary. Raises what the stage raises."""
    import time

    if not _is_to_do(run, stage):
        summary = run.folder.summary(stage)
        console.print(f"[bold]{_WORDS[stage]}[/bold]: done before ({_brief(stage, summary)})")
        return summary
    console.print(f"[bold]{_WORDS[stage]}[/bold]")
    began = time.monotonic()
    if stage == "evaluate":
        run.folder.reset("report")
    summary = STAGES[stage](run)
    run.folder.finish(stage, run.config, summary)
    console.print(f"  {_brief(stage, summary)}, {format_duration(time.monotonic() - began)}")
    return summary


def _is_to_do(run: Run, stage: str) -> bool:
    """Whether the stage is unfinished, or ended with failures of system or judge and nothing is built on it yet."""
    if run.folder.begin(stage, run.config):
        return True
    summary = run.folder.summary(stage)
    if stage == "rollout":
        return bool(summary["failed"] or summary.get("judge", {}).get("failed")) and not run.folder.has_begun("select")
    if stage == "evaluate":
        return bool(summary["judge"]["failed"]) or any(cell["num_lost"] for cell in summary["cells"].values())
    return False


def run_stages(run: Run, stages: tuple[str, ...]) -> None:
    """Run the stages in order; ends with the results where evaluation is among them."""
    if "evaluate" in stages and "train" not in stages:
        _trained_student(run)  # what is missing is said before an index is built
    for stage in stages:
        run_stage(run, stage)
    if "evaluate" in stages:
        print_results(run.folder.summary("evaluate")["cells"])


def _brief(stage: str, summary: dict[str, Any]) -> str:
    match stage:
        case "questions":
            return f"{summary['train']} to learn from, {summary['test']} held out"
        case "index":
            if summary["kind"] == "none":
                return "none: retriever.enabled is false"
            return f"{summary['passages']} passages, {summary['kind']}"
        case "rollout":
            failed = f", {summary['failed']} failed by the system" if summary["failed"] else ""
            source = f", those of {summary['source']}" if summary.get("source") else ""
            return f"{summary['finished']} of {summary['total']} episodes{failed}{source}"
        case "select":
            return f"{summary['kept']} of {summary['total']} trajectories kept"
        case "train":
            return f"{summary['steps']} steps, loss {summary['loss']:.4f}, student in {_shown(summary['student'])}"
        case "evaluate":
            return ", ".join(f"{name}: {cell['percent']}" for name, cell in summary["cells"].items())
        case _:
            return str(summary["page"])


def _shown(path: str) -> str:
    """The path as somebody who stands in the working directory would write it."""
    local = Path(path)
    return str(local.relative_to(Path.cwd())) if local.is_relative_to(Path.cwd()) else path


def _trained_student(run: Run) -> TrainedStudent | None:
    """What training left; None where no cell asks for it. Raises ConfigError where one does and there is none."""
    cell = next((cell for cell in run.config.evaluate.cells if cell.trained), None)
    if cell is None:
        return None
    if not run.folder.has_finished("train"):
        raise ConfigError(
            f"evaluate.cells: {cell.name} is the trained student, but {run.folder.path} holds none; expected a run "
            "that has trained one (`agentdistill train`), or cells without trained: true"
        )
    summary = run.folder.summary("train")
    return TrainedStudent(_absolute(summary["student"]), summary["is_adapter"], summary["base_model"])


def _questions(path: str) -> list[Question]:
    return questions_from_table(storage.read_table(path, QUESTIONS))


def _grading(run: Run) -> GradingConfig:
    """As the config says, with a place for a judge's verdicts."""
    config = run.config.grading
    if config.judge is None:
        return config
    cache = _absolute(config.judge.cache or storage.join(run.folder.path, "verdicts"))
    return dataclasses.replace(config, judge=dataclasses.replace(config.judge, cache=cache))


def _absolute(path: str) -> str:
    """Workers have another working directory."""
    return path if "://" in path else os.path.abspath(path)
