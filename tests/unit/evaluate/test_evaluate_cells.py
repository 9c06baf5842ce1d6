"""From a cell of the grid to its rollout."""

import dataclasses

import pytest

from agentdistill.agent import EpisodeSettings
from agentdistill.config import (
    AgentConfig,
    EngineConfig,
    EvaluateConfig,
    EvaluationCell,
    RolloutConfig,
    SandboxConfig,
    VoteConfig,
)
from agentdistill.errors import ConfigError
from agentdistill.evaluate import TrainedStudent
from agentdistill.evaluate.job import cell_spec
from agentdistill.evaluate.votes import SEED_STRIDE
from agentdistill.rollout import RolloutSpec, run_rollouts

CONFIG = EvaluateConfig(engine=EngineConfig(model="small"), agent=AgentConfig(prompt="student", max_steps=3))
BASE = RolloutSpec(
    folder="nowhere",
    engine=EngineConfig(model="teacher"),
    settings=EpisodeSettings(run_id="run"),
    rollout=RolloutConfig(samples=4),
    sandbox=SandboxConfig(),
)


def spec_of(cell, seed=0, student=None):
    return cell_spec(cell, seed, CONFIG, BASE, "scores/x", student)


def test_a_cell_acts_with_the_evaluation_s_engine_and_agent_once_a_question():
    spec = spec_of(EvaluationCell("a"), seed=3)
    assert (spec.engine.model, spec.rollout.samples, spec.folder) == ("small", 1, "scores/x")
    assert (spec.settings.mode, spec.settings.agent.max_steps, spec.settings.seed) == ("agent", 3, 3)
    assert (spec.settings.run_id, spec.settings.role) == ("run/a", "student")


@pytest.mark.parametrize(
    ("student", "model", "adapter"),
    [
        (TrainedStudent("run/student", False, "small"), "run/student", None),
        (TrainedStudent("run/adapter", True, "small"), "small", "run/adapter"),
    ],
)
def test_the_trained_student_takes_the_model_s_place(student, model, adapter):
    spec = spec_of(EvaluationCell("after", trained=True), student=student)
    assert (spec.engine.model, spec.engine.adapter) == (model, adapter)
    assert CONFIG.engine.model == "small"


def test_a_trained_student_that_there_is_not_is_named():
    with pytest.raises(ConfigError, match="after is the trained student, but this run has trained none"):
        spec_of(EvaluationCell("after", trained=True))


@pytest.mark.parametrize(("mode", "recorded"), [("agent", "vote_agent"), ("cot_rag", "vote_cot_rag")])
def test_a_vote_is_several_sampled_episodes_a_question(mode, recorded):
    cell = EvaluationCell("v", mode="vote", vote=VoteConfig(n=5, mode=mode, temperature=0.9, top_p=0.7))
    spec = spec_of(cell, seed=2)
    assert (spec.rollout.samples, spec.settings.mode, spec.settings.episode_mode) == (5, recorded, mode)
    assert (spec.settings.agent.temperature, spec.settings.agent.top_p) == (0.9, 0.7)
    assert spec.settings.seed == 2 * SEED_STRIDE


def test_a_vote_on_a_budget_begins_with_one_episode_a_question():
    cell = EvaluationCell("v", mode="vote", vote=VoteConfig(n=32, budget_of="sag"))
    assert spec_of(cell).rollout.samples == 1


def test_rollouts_that_need_other_engines_cannot_run_together():
    first = dataclasses.replace(BASE, folder="a")
    with pytest.raises(ValueError, match="b and a differ in more than folder, settings and samples"):
        run_rollouts([], [first, dataclasses.replace(BASE, folder="b", engine=EngineConfig(model="other"))])
    with pytest.raises(ValueError, match="expected one for each rollout"):
        run_rollouts([], [first, first])
