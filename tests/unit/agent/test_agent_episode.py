"""The episode loop, driven through its two protocols by small fakes."""

import asyncio
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from agentdistill.agent import EpisodeSettings, first_paragraph, run_episode, whole_sentences
from agentdistill.config import AgentConfig, SagConfig
from agentdistill.errors import EngineError, PromptTooLongError, SandboxError, SessionLostError
from agentdistill.types import (
    ActionError,
    CodeError,
    Completion,
    FinishReason,
    Kind,
    Message,
    Outcome,
    Question,
    Request,
    Role,
    StopReason,
)

QUESTION = Question("q1", "What is 6 times 7?", ("42",), Kind.MATH, "test")
SETTINGS = EpisodeSettings(run_id="run", agent=AgentConfig(prompt="student"))


def with_agent(**changes: Any) -> EpisodeSettings:
    return dataclasses.replace(SETTINGS, agent=dataclasses.replace(SETTINGS.agent, **changes))


def turn(code: str, thought: str = "I compute.") -> str:
    return f"Thought: {thought}\nCode:\n```py\n{code}\n```<end_code>"


class Script:
    """An engine that answers with the given texts, one list a request."""

    def __init__(self, *answers: list[str] | str | Completion | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[Request] = []

    async def __call__(self, request: Request) -> list[Completion]:
        self.requests.append(request)
        answer = self.answers.pop(0) if self.answers else turn("1")
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Completion):
            return [answer]
        texts = [answer] * request.sampling.n if isinstance(answer, str) else answer
        return [Completion(text, FinishReason.STOP, (1, 2), (9,), 5, 2) for text in texts]


class Session:
    """A session whose code is looked up in a function; counts what ran."""

    def __init__(self, run: Callable[[str], Outcome]) -> None:
        self._run = run
        self.ran: list[str] = []
        self.committed: list[int] = []

    async def run(self, code: str) -> Outcome:
        self.ran.append(code)
        return self._run(code)

    async def try_all(self, codes: list[str]) -> list[Outcome]:
        self.ran += codes
        return [self._run(code) for code in codes]

    async def commit(self, index: int) -> None:
        self.committed.append(index)

    async def close(self) -> None:
        return None


def calculator(code: str) -> Outcome:
    """`answer N` is a final answer, `fail` raises, everything else prints itself."""
    if code.startswith("answer"):
        return Outcome("", final_answer=code.split()[-1], is_final=True)
    if code.startswith("fail"):
        return Outcome("", error=CodeError("ValueError", code))
    return Outcome(f"{code}\n", num_tool_calls=1, tools_s=0.25)


async def test_a_final_answer_ends_the_episode_with_its_record() -> None:
    trajectory = await run_episode(QUESTION, Script(turn("6 * 7"), turn("answer 42")), Session(calculator), SETTINGS)
    assert (trajectory.stop_reason, trajectory.answer) == (StopReason.FINAL_ANSWER, "42")
    assert [step.code for step in trajectory.steps] == ["6 * 7", "answer 42"]
    assert trajectory.steps[0].observation == "6 * 7"
    assert trajectory.num_tool_calls == 1
    assert (trajectory.num_prompt_tokens, trajectory.num_completion_tokens) == (10, 4)
    assert [message.role for message in trajectory.messages] == [
        Role.SYSTEM, Role.USER, Role.ASSISTANT, Role.USER, Role.ASSISTANT,
    ]  # fmt: skip


async def test_the_model_sees_every_earlier_turn_and_observation() -> None:
    engine = Script(turn("6 * 7"), turn("answer 42"))
    await run_episode(QUESTION, engine, Session(calculator), SETTINGS)
    assert engine.requests[1].messages[-2:] == (
        Message(Role.ASSISTANT, turn("6 * 7")),
        Message(Role.USER, "Observation:\n6 * 7"),
    )


async def test_steps_run_out() -> None:
    trajectory = await run_episode(QUESTION, Script(), Session(calculator), with_agent(max_steps=3))
    assert (trajectory.stop_reason, len(trajectory.steps), trajectory.answer) == (StopReason.MAX_STEPS, 3, None)


async def test_an_invalid_action_is_a_step_with_a_reminder() -> None:
    trajectory = await run_episode(QUESTION, Script("It is 42.", turn("answer 42")), Session(calculator), SETTINGS)
    assert trajectory.steps[0].error is ActionError.NO_CODE
    assert "```py" in trajectory.steps[0].observation
    assert trajectory.num_invalid_actions == 1
    assert trajectory.answer == "42"


async def test_a_raised_error_is_observed_and_recovered_from() -> None:
    trajectory = await run_episode(QUESTION, Script(turn("fail x"), turn("answer 1")), Session(calculator), SETTINGS)
    assert trajectory.steps[0].error is ActionError.EXECUTION
    assert trajectory.steps[0].observation == "Error: ValueError: fail x"
    assert trajectory.stop_reason is StopReason.FINAL_ANSWER


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (EngineError("gone"), StopReason.ENGINE_ERROR),
        (PromptTooLongError("too long"), StopReason.CONTEXT_FULL),
        (RuntimeError("surprise"), StopReason.INTERNAL_ERROR),
    ],
)
async def test_a_failing_engine_leaves_the_steps_so_far(failure: Exception, reason: StopReason) -> None:
    trajectory = await run_episode(QUESTION, Script(turn("1"), failure), Session(calculator), SETTINGS)
    assert (trajectory.stop_reason, len(trajectory.steps)) == (reason, 1)
    assert (str(failure) in trajectory.error) == reason.is_system


@pytest.mark.parametrize("failure", [SandboxError("broken"), SessionLostError("its variables are lost")])
async def test_a_failing_sandbox_is_a_system_failure_with_its_reason(failure: Exception) -> None:
    def broken(code: str) -> Outcome:
        raise failure

    trajectory = await run_episode(QUESTION, Script(), Session(broken), SETTINGS)
    assert trajectory.stop_reason is StopReason.SANDBOX_ERROR
    assert str(failure) in trajectory.error


async def test_a_retriever_that_is_down_is_not_a_mistake_of_the_model() -> None:
    down = Outcome("", error=CodeError("RetrieverError", "no replica answers"))
    trajectory = await run_episode(QUESTION, Script(), Session(lambda code: down), SETTINGS)
    assert trajectory.stop_reason is StopReason.RETRIEVER_ERROR
    assert "no replica answers" in trajectory.error


async def test_an_engine_that_never_answers_meets_the_time_budget() -> None:
    async def never(request: Request) -> list[Completion]:
        await asyncio.Event().wait()
        return []

    settings = with_agent(time_budget_s=0.05)
    trajectory = await run_episode(QUESTION, never, Session(calculator), settings)
    assert trajectory.stop_reason is StopReason.TIME_BUDGET


async def test_the_token_budget_ends_before_the_next_step() -> None:
    settings = with_agent(token_budget=3)
    trajectory = await run_episode(QUESTION, Script(), Session(calculator), settings)
    assert (trajectory.stop_reason, len(trajectory.steps)) == (StopReason.TOKEN_BUDGET, 2)


async def test_the_same_code_with_the_same_observation_is_noted_as_repetition() -> None:
    script = Script(turn("1"), turn("1"), turn("answer 1"))
    assert (await run_episode(QUESTION, script, Session(calculator), SETTINGS)).repeated
    script = Script(turn("1"), turn("2"), turn("answer 1"))
    assert not (await run_episode(QUESTION, script, Session(calculator), SETTINGS)).repeated


def sag(n: int) -> EpisodeSettings:
    return with_agent(sag=SagConfig(n=n))


async def test_the_majority_of_candidates_wins_and_is_not_run_again() -> None:
    answers = [turn("fail a"), turn("answer 41"), turn("answer 42"), turn("answer 42", "Another thought.")]
    session = Session(calculator)
    trajectory = await run_episode(QUESTION, Script(answers), session, sag(4))
    assert trajectory.answer == "42"
    assert session.ran == ["fail a", "answer 41", "answer 42"]
    assert session.committed == [2]
    candidates = trajectory.steps[0].candidates
    assert [bool(candidate.error) for candidate in candidates] == [True, False, False, False]
    assert sum(candidate.chosen for candidate in candidates) == 1
    assert trajectory.num_completion_tokens == 8


async def test_where_all_candidates_fail_one_that_ran_is_kept() -> None:
    trajectory = await run_episode(
        QUESTION, Script(["no code", turn("fail a"), "none"], turn("answer 1")), Session(calculator), sag(3)
    )
    assert trajectory.steps[0].error is ActionError.EXECUTION


async def test_where_no_candidate_has_code_the_step_is_invalid() -> None:
    session = Session(calculator)
    trajectory = await run_episode(
        QUESTION, Script(["no", "none"]), session, with_agent(sag=SagConfig(n=2), max_steps=1)
    )
    assert trajectory.steps[0].error is ActionError.NO_CODE
    assert session.committed == []


async def test_the_vote_depends_on_seed_and_question_alone() -> None:
    answers = [turn("answer 1"), turn("answer 2"), turn("answer 3")]
    picked = {
        (await run_episode(QUESTION, Script(answers), Session(calculator), sag(3))).answer for _ in range(5)
    }  # fmt: skip
    assert len(picked) == 1


async def test_the_first_thought_prefix_is_continued_and_kept() -> None:
    engine = Script("First I multiply.\n\nThen I am done.", " So:\nCode:\n```py\nanswer 42\n```<end_code>")
    settings = with_agent(first_thought_prefix=True)
    trajectory = await run_episode(QUESTION, engine, Session(calculator), settings)
    assert engine.requests[0].sampling.stop == ("\n\n",)
    assert engine.requests[1].prefix == "Thought: First I multiply."
    assert trajectory.first_thought_prefix == "Thought: First I multiply."
    assert trajectory.steps[0].text.startswith("Thought: First I multiply. So:")
    assert trajectory.steps[0].thought == "First I multiply. So:"
    assert trajectory.num_completion_tokens == 4


async def test_a_first_thought_after_a_blank_line_is_asked_for_again() -> None:
    engine = Script("\n\n", "\n\nFirst I multiply.\n\nThen", " So:\nCode:\n```py\nanswer 42\n```<end_code>")
    settings = with_agent(first_thought_prefix=True)
    trajectory = await run_episode(QUESTION, engine, Session(calculator), settings)
    assert [request.sampling.stop for request in engine.requests[:2]] == [("\n\n",), ()]
    assert trajectory.first_thought_prefix == "Thought: First I multiply."


@pytest.mark.parametrize(
    "written",
    [
        ["<think>Perhaps 1.\n\nOr 2.</think>\n\nFirst I multiply.\n\nThen I add."],
        ["<think>Perhaps 1.", "<think>Perhaps 1.\n\nOr 2.</think>\n\nFirst I multiply.\n\nThen I add."],
    ],
)
async def test_the_first_thought_of_a_reasoning_model_is_that_of_its_answer(written: list[str]) -> None:
    engine = Script(*written, " So:\nCode:\n```py\nanswer 42\n```<end_code>")
    settings = with_agent(first_thought_prefix=True)
    trajectory = await run_episode(QUESTION, engine, Session(calculator), settings)

    assert trajectory.first_thought_prefix == "Thought: First I multiply."


async def test_a_first_thought_that_is_too_long_ends_with_a_whole_sentence() -> None:
    cut_short = Completion("Add 1 and 2.5 first. Then mul", FinishReason.LENGTH)
    engine = Script(cut_short, " So:\nCode:\n```py\nanswer 42\n```<end_code>")
    settings = with_agent(first_thought_prefix=True, first_thought_tokens=9)
    trajectory = await run_episode(QUESTION, engine, Session(calculator), settings)
    assert engine.requests[0].sampling.max_tokens == 9
    assert trajectory.first_thought_prefix == "Thought: Add 1 and 2.5 first."


@pytest.mark.parametrize(
    ("text", "whole"), [("One. Tw", "One."), ("a = 1.5 and", ""), ("We add:\n1 + 2\nand", "We add:\n1 + 2"), ("", "")]
)
def test_a_cut_text_keeps_its_whole_sentences(text: str, whole: str) -> None:
    assert whole_sentences(text) == whole


@pytest.mark.parametrize(
    ("text", "prefix"),
    [("One.\n\nTwo.", "One."), ("\n\n  One.\n \t\nTwo", "One."), ("Only one.", "Only one."), ("", "")],
)
def test_the_first_paragraph_ends_at_the_first_blank_line(text: str, prefix: str) -> None:
    assert first_paragraph(text) == prefix


async def test_a_cancelled_episode_raises_and_leaves_no_record() -> None:
    async def never(request: Request) -> Sequence[Completion]:
        await asyncio.Event().wait()
        return []

    task = asyncio.create_task(run_episode(QUESTION, never, Session(calculator), SETTINGS))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_turn_that_the_server_gave_up_is_a_system_failure() -> None:
    engine = Script(Completion(turn("answer 42"), FinishReason.ABORT))
    session = Session(calculator)
    trajectory = await run_episode(QUESTION, engine, session, SETTINGS)

    assert (trajectory.stop_reason, trajectory.steps, session.ran) == (StopReason.ENGINE_ERROR, (), [])
    assert "broke off" in trajectory.error


async def test_a_turn_that_a_filter_cut_is_never_run() -> None:
    engine = Script(Completion(turn("answer 41"), FinishReason.CONTENT_FILTER), turn("answer 42"))
    session = Session(calculator)
    trajectory = await run_episode(QUESTION, engine, session, SETTINGS)

    assert (trajectory.steps[0].error, session.ran, trajectory.answer) == (ActionError.UNFINISHED, ["answer 42"], "42")
