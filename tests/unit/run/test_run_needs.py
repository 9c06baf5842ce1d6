"""What the dry run derives: upper bounds and sizes that follow from the config alone."""

import pytest

from agentdistill.config import AgentConfig, RunConfig, SagConfig, TaskConfig, VoteConfig, load
from agentdistill.recipes.paper import distill
from agentdistill.run import Run
from agentdistill.run.phases.base import Need
from agentdistill.run.planning.needs import count_questions, index_gb, tokens_of_episode
from agentdistill.run.planning.plan import needs
from agentdistill.types import Kind

AGENT = AgentConfig(max_steps=5, max_tokens=1_000)


def make_needs(config: RunConfig) -> list[Need]:
    run = Run(config, planning=True)
    distill(run)
    return needs(run.calls)


@pytest.mark.parametrize(
    ("mode", "agent", "tokens"),
    [
        ("agent", AGENT, 5_000),
        ("agent", AgentConfig(max_steps=5, max_tokens=1_000, first_thought_prefix=True), 6_000),
        ("agent", AgentConfig(max_tokens=1_000, first_thought_prefix=True, first_thought_tokens=90), 5_090),
        ("agent", AgentConfig(max_steps=5, max_tokens=1_000, sag=SagConfig(n=8)), 40_000),
        ("agent", AgentConfig(max_steps=5, max_tokens=1_000, token_budget=2_000), 3_000),
        ("cot", AGENT, 1_000),
        ("cot_rag", AGENT, 1_000),
        ("vote", AGENT, 40_000),
    ],
)
def test_an_episode_writes_at_most(mode: str, agent: AgentConfig, tokens: int) -> None:
    assert tokens_of_episode(mode, agent, VoteConfig(n=8, mode="agent")) == tokens


def test_questions_are_counted_where_their_number_is_known() -> None:
    assert count_questions([TaskConfig("math500"), TaskConfig("hotpot", limit=20)]) == 520
    assert count_questions([TaskConfig("math500"), TaskConfig("hotpot", limit=20)], Kind.FACTUAL) == 20
    assert count_questions([TaskConfig("world", limit=7)]) == 7
    assert count_questions([TaskConfig("math500"), TaskConfig("file", "mine.jsonl")]) is None


def test_an_index_is_sized_where_the_number_of_passages_is_given() -> None:
    flat = load(None, ["retriever.encoder.model=e5-base-v2", "retriever.expected_passages=1000000"])
    assert index_gb(flat) == pytest.approx(1e6 * 768 * 4 / 1e9)
    assert index_gb(load(None, ["retriever.encoder.model=e5-base-v2"])) is None
    assert index_gb(load(None, ["retriever.index.kind=bm25", "retriever.expected_passages=10"])) is None


def test_nothing_is_said_about_what_is_not_known() -> None:
    needs = make_needs(load(None, ["train.model=mine", "teacher.engine.engine=scripted", "evaluate.engine.model=mine"]))
    assert all(need.gpu_gb is None for need in needs)


def test_weights_are_divided_over_the_gpus_that_share_a_model() -> None:
    overrides = ["teacher.engine.model=Qwen/Qwen2.5-7B-Instruct", "teacher.engine.tensor_parallel="]
    one, two = (
        next(
            need
            for need in make_needs(load(None, [overrides[0], overrides[1] + str(count)]))
            if need.phase == "rollout"
        )
        for count in (1, 2)
    )
    assert one.gpu_gb == pytest.approx(2 * two.gpu_gb)
    assert one.gpu_gb == pytest.approx(15.2, abs=0.1)
