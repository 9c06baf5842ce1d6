"""What the phases that run episodes share: questions, the rollout's spec, and the judge after it."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from typing import Any

from agentdistill import storage
from agentdistill.agent import EpisodeSettings, for_workers
from agentdistill.config import GradingConfig, RunConfig
from agentdistill.console import StageProgress, console
from agentdistill.rollout import RolloutSpec
from agentdistill.run.handles import Questions
from agentdistill.run.phases.base import Call
from agentdistill.runtime.services import Services
from agentdistill.schema import QUESTIONS, questions_from_table
from agentdistill.scoring import JudgeSummary, judge_rollouts
from agentdistill.tools import tool_texts
from agentdistill.types import Question, ToolText


def questions_of(call: Call) -> list[Question]:
    """The questions that the call is to answer."""
    handle = call.inputs["questions"]
    assert isinstance(handle, Questions)
    return questions_from_table(storage.read_table(handle.file, QUESTIONS))


def index_folder(call: Call) -> str:
    """Where the index lies that the episodes search."""
    return call.inputs["index"].path if "index" in call.inputs else call.config.retriever.folder


def rollout_spec(call: Call, names: Services, run_id: str) -> RolloutSpec:
    """The teacher's rollout as the config describes it."""
    config = call.config
    return RolloutSpec(
        folder=absolute(call.output.path),
        engine=config.teacher.engine,
        settings=EpisodeSettings(
            run_id=run_id,
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
        tools=tuple(config.tools),
        grading=grading_of(call),
    )


def described_tools(config: RunConfig) -> tuple[ToolText, ...]:
    """What the prompts of this run say can be called, beside final_answer. Raises ConfigError; needs no Ray."""
    return tool_texts(config.tools, config.retriever.enabled)


def run_id_of(call: Call) -> str:
    """Of the default phase the run's name; of another one a name of its own, so that their episodes stay apart."""
    return f"{call.config.name}/{call.suffix}" if call.suffix else call.config.name


def judge_answers(folders: Sequence[str], grading: GradingConfig) -> dict[str, Any]:
    """Let the judge, where there is one, decide the factual answers without a grade; says how many it could not."""
    if grading.judge is None:
        return dataclasses.asdict(JudgeSummary())
    with StageProgress("answers judged") as progress:
        summary = judge_rollouts(folders, grading.judge, lambda done, total: progress.update(done, total))
    if summary.failed:
        reason = next(iter(summary.reasons))
        console.print(
            f"  {summary.failed} of {summary.answers} answers could not be judged ({reason}); they count for nobody, "
            "and the same command asks again",
            markup=False,
        )
    return dataclasses.asdict(summary)


def absolute(path: str) -> str:
    """Workers have another working directory."""
    return path if "://" in path else os.path.abspath(path)


def grading_of(call: Call) -> GradingConfig:
    """As the config says, with a place for a judge's verdicts."""
    config = call.config.grading
    if config.judge is None:
        return config
    cache = absolute(config.judge.cache or storage.join(call.folder.path, "verdicts"))
    return dataclasses.replace(config, judge=dataclasses.replace(config.judge, cache=cache))
