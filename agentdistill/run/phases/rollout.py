"""trajectories/: the teacher acts on every question to learn from, or did so in another run."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from functools import partial
from typing import Any

from agentdistill.console import console
from agentdistill.errors import ConfigError
from agentdistill.rollout import run_rollout
from agentdistill.run.access import check_teacher
from agentdistill.run.episodes import (
    described_tools,
    index_folder,
    judge_answers,
    questions_of,
    rollout_spec,
    run_id_of,
)
from agentdistill.run.handles import Questions
from agentdistill.run.phases.base import Ask, Call, Need, Phase
from agentdistill.run.planning.asks import (
    engine_words,
    gpus_of_engine,
    judge_gpus,
    judge_words,
    range_words,
    sag_words,
    services_ask,
)
from agentdistill.run.planning.needs import (
    GB,
    TRAJECTORY_BYTES_PER_TOKEN,
    count_questions,
    episodes_need,
    index_gb,
    tokens_of_episode,
    with_judge,
)
from agentdistill.run.progress import episode_progress
from agentdistill.run.reuse import check_source, reuse_rollout
from agentdistill.runtime.connection import ray_cluster
from agentdistill.runtime.services import services


def do(call: Call) -> dict[str, Any]:
    """Run the episodes that are missing, and let the judge decide where there is one."""
    config = call.config
    if config.rollout.reuse is not None:
        return reuse_rollout(call)
    questions = questions_of(call)
    if not questions:
        raise ConfigError("questions.train is empty, expected at least one task for the teacher to act on")
    if config.teacher.engine.engine == "scripted":
        console.print(
            f"  The teacher is a scripted expert ({config.teacher.engine.expert}), not a model: it writes Thought and "
            "Code through the same\n  protocol, and its code and searches really run.",
            style="dim",
        )
    with ray_cluster(config.cluster), services(config, index_folder(call)) as names:
        spec = rollout_spec(call, names, run_id_of(call))
        with episode_progress() as show:
            summary = run_rollout(questions, spec, partial(show, ("episodes",)))
        judged = judge_answers([spec.folder], spec.grading)
    return {**dataclasses.asdict(summary), "judge": judged}


def check(call: Call, coming: Collection[str]) -> None:
    """Raise where a tool is none, an endpoint lacks its key, or the rollout to reuse cannot be."""
    described_tools(call.config)
    if call.config.rollout.reuse is not None:
        check_source(call)
    else:
        check_teacher(call.config)


def again(summary: dict[str, Any]) -> bool:
    """Whether the system or the judge failed some."""
    return bool(summary.get("failed") or summary.get("judge", {}).get("failed"))


def brief(summary: dict[str, Any]) -> str:
    failed = f", {summary['failed']} failed by the system" if summary["failed"] else ""
    source = f", those of {summary['source']}" if summary.get("source") else ""
    return f"{summary['finished']} of {summary['total']} episodes{failed}{source}"


def ask(call: Call) -> Ask:
    config, rollout = call.config, call.config.rollout
    if rollout.reuse is not None:
        return Ask(call.name, f"the trajectories of {rollout.reuse}", "this process", 1, 0)
    actors = rollout.max_actors or rollout.actors
    services_cpus, services_gpus, service_names = services_ask(config)
    mode = "" if config.teacher.mode == "agent" else f" in mode {config.teacher.mode}"
    does = (
        f"{engine_words(config.teacher.engine)}{mode}, {rollout.samples} sample(s) a question, {rollout.in_flight} in "
        f"flight each{', first-thought prefix' if config.teacher.agent.first_thought_prefix else ''}"
        f"{sag_words(config.teacher.agent)}{judge_words(config)}"
    )
    gpus = max(actors * gpus_of_engine(config, config.teacher.engine), judge_gpus(config))
    return Ask(
        call.name,
        does,
        f"{range_words(rollout.actors, actors)} engines, {service_names}",
        actors * rollout.cpus_per_actor + services_cpus,
        gpus + services_gpus,
    )


def need(call: Call) -> Need | None:
    config, handle = call.config, call.inputs["questions"]
    assert isinstance(handle, Questions)
    questions = count_questions(handle.tasks)
    per_episode = tokens_of_episode(config.teacher.mode, config.teacher.agent)
    tokens = None if questions is None else questions * config.rollout.samples * per_episode
    if config.rollout.reuse is not None:
        disk = None if tokens is None else tokens * TRAJECTORY_BYTES_PER_TOKEN / GB
        return Need(call.name, disk_gb=disk, why="a copy of the trajectories")
    engine = config.teacher.engine
    if engine.engine == "scripted":
        return Need(call.name, memory_gb=index_gb(config))
    return with_judge(episodes_need(call.name, config, [engine], tokens), config, handle.tasks)


ROLLOUT = Phase(
    "rollout",
    "Teacher rollouts",
    ("name", "seed", "teacher", "sandbox", "retriever", "tools", "rollout", "grading"),
    do,
    brief,
    ask,
    need,
    check,
    again,
)
