"""scores/: the benchmark grid on the held-out questions."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from agentdistill import storage
from agentdistill.config import EvaluationCell, RunConfig, VoteConfig
from agentdistill.errors import ConfigError
from agentdistill.evaluate import TrainedStudent, cell_to_json, run_cells, summarize_cells
from agentdistill.run.access import check_students
from agentdistill.run.episodes import (
    absolute,
    described_tools,
    index_folder,
    judge_answers,
    questions_of,
    rollout_spec,
    run_id_of,
)
from agentdistill.run.handles import Questions
from agentdistill.run.phases.base import Ask, Call, Need, Phase
from agentdistill.run.planning.asks import gpus_of_engine, judge_gpus, judge_words, range_words, sag_words, services_ask
from agentdistill.run.planning.needs import count_questions, episodes_need, tokens_of_episode, with_judge
from agentdistill.run.progress import episode_progress
from agentdistill.runtime.connection import ray_cluster
from agentdistill.runtime.services import services


def do(call: Call) -> dict[str, Any]:
    """Run what is missing of the grid, judge what has no grade, write `scores.json`, and return its content."""
    config, questions, student = call.config, questions_of(call), _student(call)
    folder = absolute(call.output.path)
    with ray_cluster(config.cluster), services(config, index_folder(call)) as names:
        base = rollout_spec(call, names, run_id_of(call))
        with episode_progress() as show:
            runs = run_cells(questions, config.evaluate, base, folder, student, show)
        judged = judge_answers([run.spec.folder for run in runs], base.grading)
    rows = {name: cell_to_json(cell) for name, cell in summarize_cells(runs).items()}
    storage.write_json(storage.join(folder, "scores.json"), rows)
    return {"cells": rows, "judge": judged}


def trained_cell(config: RunConfig) -> EvaluationCell | None:
    """The first cell that asks for the trained student."""
    return next((cell for cell in config.evaluate.cells if cell.trained), None)


def check(call: Call, coming: Collection[str]) -> None:
    """Raise ConfigError where a tool is none, an endpoint lacks its key, or the trained student is missing."""
    described_tools(call.config)
    check_students(call.config)
    cell, student = trained_cell(call.config), call.inputs.get("student")
    if cell is not None and (student is None or not (student.name in coming or student.is_done)):
        raise ConfigError(
            f"evaluate.cells: {cell.name} is the trained student, but {call.folder.path} holds none; expected a run "
            "that has trained one (`agentdistill train`), or cells without trained: true"
        )


def again(summary: dict[str, Any]) -> bool:
    """Whether the system or the judge failed some."""
    return bool(summary["judge"]["failed"]) or any(cell["num_lost"] for cell in summary["cells"].values())


def brief(summary: dict[str, Any]) -> str:
    return ", ".join(f"{name}: {cell['percent']}" for name, cell in summary["cells"].items())


def ask(call: Call) -> Ask:
    config, evaluate, rollout = call.config, call.config.evaluate, call.config.rollout
    actors = rollout.max_actors or rollout.actors
    services_cpus, services_gpus, service_names = services_ask(config)
    cells = ", ".join(
        f"{cell.name} ({_mode(cell)}{sag_words(cell.agent or evaluate.agent)})" for cell in evaluate.cells
    )
    gpus = max(gpus_of_engine(config, cell.engine or evaluate.engine) for cell in evaluate.cells)
    return Ask(
        call.name,
        f"{cells}; seeds {', '.join(map(str, evaluate.seeds))}{judge_words(config)}",
        f"{range_words(rollout.actors, actors)} engines, {service_names}",
        actors * rollout.cpus_per_actor + services_cpus,
        max(actors * gpus, judge_gpus(config)) + services_gpus,
    )


def need(call: Call) -> Need | None:
    config, evaluate, handle = call.config, call.config.evaluate, call.inputs["questions"]
    assert isinstance(handle, Questions)
    questions = count_questions(handle.tasks)
    per_question = sum(
        tokens_of_episode(cell.mode, cell.agent or evaluate.agent, cell.vote) for cell in evaluate.cells
    ) * len(evaluate.seeds)
    tokens = None if questions is None else questions * per_question
    engines = [cell.engine or evaluate.engine for cell in evaluate.cells]
    found = episodes_need(call.name, config, engines, tokens)
    return with_judge(found, config, handle.tasks, len(evaluate.cells) * len(evaluate.seeds))


def _mode(cell: EvaluationCell) -> str:
    if cell.mode != "vote":
        return cell.mode
    vote = cell.vote or VoteConfig()
    most = "up to " if vote.budget_of else ""
    return f"vote of {most}{vote.n} {cell.episode_mode} episodes"


def _student(call: Call) -> TrainedStudent | None:
    """What training left; None where no cell asks for it."""
    if trained_cell(call.config) is None:
        return None
    summary = call.inputs["student"].summary
    return TrainedStudent(absolute(summary["student"]), summary["is_adapter"], summary["base_model"])


EVALUATE = Phase(
    "evaluate",
    "Evaluation",
    ("name", "sandbox", "retriever", "tools", "grading", "evaluate"),
    do,
    brief,
    ask,
    need,
    check,
    again,
)
