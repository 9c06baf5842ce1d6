"""Answering in one turn, without code."""

import pytest

from agentdistill.agent import EpisodeSettings, extract_answer, run_episode
from agentdistill.config import AgentConfig, SagConfig
from agentdistill.environments.none import NoEnvironment
from agentdistill.environments.passages import PassagesEnvironment
from agentdistill.errors import BusyError, RetrieverError
from agentdistill.types import ActionError, Completion, FinishReason, Kind, Question, Request, StopReason

QUESTION = Question("q1", "What is 6 times 7?", ("42",), Kind.MATH, "test")
SETTINGS = EpisodeSettings(run_id="run", mode="cot")
WITH_PASSAGES = EpisodeSettings(run_id="run", mode="cot_rag")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"So it is \boxed{\frac{1}{2}}.", r"\frac{1}{2}"),
        (r"First \boxed{1}, then \boxed{2}", "2"),
        ("Reasoning.\nAnswer: 42", "42"),
        ("Reasoning.\n**Final answer:** 42.", "42"),
        ("The answer is: Paris", "Paris"),
        ("No idea", None),
        (r"\boxed{never closed", None),
        (r"<think>\boxed{1}</think>So it is \boxed{2}.", "2"),
        ("perhaps \\boxed{1}</think>\nAnswer: 2", "2"),
        ("So it is \\boxed{2}.\n<think>or \\boxed{1}", "2"),
        (r"<think>It may be \boxed{1}.", None),
    ],
)
def test_the_answer_is_taken_from(text: str, answer: str | None) -> None:
    assert extract_answer(text) == answer


async def test_passages_stand_before_the_question() -> None:
    seen: list[Request] = []

    async def engine(request: Request) -> list[Completion]:
        seen.append(request)
        return [Completion("Answer: 42", FinishReason.STOP)]

    async def search(query: str) -> str:
        return f"Doc 1 (Title: T)\nabout {query}"

    trajectory = await run_episode(QUESTION, engine, PassagesEnvironment(search), WITH_PASSAGES)
    assert seen[0].messages[-1].content == f"Doc 1 (Title: T)\nabout {QUESTION.text}\n\n{QUESTION.text}"
    assert (trajectory.answer, trajectory.stop_reason) == ("42", StopReason.ANSWERED)
    assert trajectory.prompt_version.startswith("cot_rag_v1-")


async def test_a_text_that_the_token_limit_cut_is_marked() -> None:
    async def engine(request: Request) -> list[Completion]:
        return [Completion("It is \\boxed{42}, or perhaps", FinishReason.LENGTH)]

    trajectory = await run_episode(QUESTION, engine, NoEnvironment(), SETTINGS)
    assert trajectory.answer == "42"
    assert trajectory.steps[0].error is ActionError.UNFINISHED


@pytest.mark.parametrize("failure", [RetrieverError("no replica answers"), BusyError("it holds 512 queries")])
async def test_a_retriever_that_is_down_is_a_system_failure(failure: Exception) -> None:
    async def engine(request: Request) -> list[Completion]:
        return [Completion("Answer: 42", FinishReason.STOP)]

    async def search(query: str) -> str:
        raise failure

    trajectory = await run_episode(QUESTION, engine, PassagesEnvironment(search), WITH_PASSAGES)
    assert trajectory.stop_reason is StopReason.RETRIEVER_ERROR
    assert trajectory.steps == ()
    assert str(failure) in trajectory.error


async def test_several_chains_of_thought_vote_on_the_answer() -> None:
    async def engine(request: Request) -> list[Completion]:
        texts = ["Answer: 41", "I add.\nAnswer: 42.0", "no answer", "I multiply.\nAnswer: 42"]
        return [Completion(text, FinishReason.STOP) for text in texts]

    settings = EpisodeSettings(run_id="run", mode="cot", agent=AgentConfig(sag=SagConfig(n=4)))
    trajectory = await run_episode(QUESTION, engine, NoEnvironment(), settings)
    assert trajectory.answer in ("42", "42.0")
    assert [item.outcome_key for item in trajectory.steps[0].candidates] == ["final:41", "final:42", "", "final:42"]
