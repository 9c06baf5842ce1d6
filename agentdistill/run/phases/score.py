"""The grades that come later: the judge is asked again for answers of a finished rollout that have none."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from agentdistill.run.access import check_judge
from agentdistill.run.episodes import absolute, grading_of, judge_answers
from agentdistill.run.phases.base import Ask, Call, Phase
from agentdistill.run.planning.asks import engine_words, judge_gpus
from agentdistill.runtime.connection import ray_cluster


def do(call: Call) -> dict[str, Any]:
    """Judge what has no grade in the folder of trajectories; nothing where the config names no judge."""
    grading = grading_of(call)
    if grading.judge is None:
        return judge_answers([], grading)
    with ray_cluster(call.config.cluster):
        return judge_answers([absolute(call.inputs["trajectories"].path)], grading)


def check(call: Call, coming: Collection[str]) -> None:
    """Raise ConfigError where the judge's endpoint lacks its key."""
    check_judge(call.config)


def again(summary: dict[str, Any]) -> bool:
    """Whether some answers have no grade still."""
    return bool(summary["failed"])


def brief(summary: dict[str, Any]) -> str:
    failed = f", {summary['failed']} without a verdict" if summary["failed"] else ""
    return f"{summary['judged']} answers judged{failed}"


def ask(call: Call) -> Ask:
    config = call.config
    judge = config.grading.judge
    if judge is None:
        return Ask(call.name, "nothing: grading.judge is null", "none", 0, 0)
    does = f"facts judged by {engine_words(judge.engine)}"
    return Ask(call.name, does, f"{judge.actors} judges", judge.actors * judge.cpus_per_actor, judge_gpus(config))


SCORE = Phase("score", "Grades that come later", ("grading",), do, brief, ask, check=check, again=again, follows=True)
