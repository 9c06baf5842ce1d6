"""What a model may write in place of an action: the episode notes it, says so to the model, and goes on."""

import dataclasses

import pytest

from agentdistill.agent import EpisodeSettings, run_episode
from agentdistill.config import AgentConfig, SagConfig
from agentdistill.types import (
    ActionError,
    CodeError,
    Completion,
    FinishReason,
    Kind,
    Outcome,
    Question,
    Request,
    Role,
    StopReason,
    Trajectory,
)

QUESTION = Question("q1", "What is 6 times 7?", ("42",), Kind.MATH, "test")
AGENT = AgentConfig(prompt="student", max_steps=3)
SETTINGS = EpisodeSettings(run_id="run", agent=AGENT)
VOTING = {n: EpisodeSettings(run_id="run", agent=dataclasses.replace(AGENT, sag=SagConfig(n=n))) for n in (2, 3)}
ANSWER = Completion(
    "Thought: So.\nCode:\n```py\nfinal_answer(42)\n```<end_code>", FinishReason.STOP, (7, 8), (1,), 1, 2
)
UNFINISHED = Completion("Thought: I count.\nCode:\n```py\nfor i in range(", FinishReason.LENGTH, (5, 6))


class Session:
    """Whatever runs answers the question, but where the retriever is down."""

    def __init__(self) -> None:
        self.ran: list[str] = []

    async def run(self, code: str) -> Outcome:
        self.ran.append(code)
        if "search" in code:
            return Outcome("", error=CodeError("RetrieverError", "no replica answers"))
        return Outcome("", final_answer="42", is_final=True)

    async def try_all(self, codes: list[str]) -> list[Outcome]:
        return [await self.run(code) for code in codes]

    async def commit(self, index: int) -> None: ...

    async def close(self) -> None: ...


async def act(session: Session, settings: EpisodeSettings, *turns: list[Completion]) -> Trajectory:
    """The episode of a model that writes these turns, the last one for ever."""
    left = list(turns)

    async def generate(request: Request) -> list[Completion]:
        return left.pop(0) if len(left) > 1 else left[0]

    return await run_episode(QUESTION, generate, session, settings)


@pytest.mark.parametrize(
    ("completion", "error", "reminder"),
    [
        (UNFINISHED, ActionError.UNFINISHED, "the token limit was reached inside a code block"),
        (Completion("So I will", FinishReason.LENGTH), ActionError.UNFINISHED, "before any code block"),
        (Completion(" \n\t \n", FinishReason.STOP), ActionError.EMPTY, "nothing but whitespace"),
        (Completion(" \n\t \n", FinishReason.LENGTH), ActionError.EMPTY, "nothing but whitespace"),
        (Completion("", FinishReason.STOP, (2,), (1,), 1, 1), ActionError.EMPTY, "nothing but whitespace"),
        (Completion("Thought: t\nCode:\n```py\n\n```<end_code>", FinishReason.STOP), ActionError.EMPTY, "is empty"),
        (Completion("\nObservation:\n42", FinishReason.STOP), ActionError.EMPTY, "nothing but whitespace"),
    ],
)
async def test_what_is_no_action_is_named_and_the_next_turn_can_mend_it(
    completion: Completion, error: ActionError, reminder: str
) -> None:
    session = Session()
    trajectory = await act(session, SETTINGS, [completion], [ANSWER])
    first = trajectory.steps[0]
    assert (first.error, first.code, first.token_ids) == (error, "", completion.token_ids)
    assert reminder in first.observation
    assert trajectory.messages[3].role is Role.USER
    assert reminder in trajectory.messages[3].content
    assert (trajectory.stop_reason, trajectory.answer) == (StopReason.FINAL_ANSWER, "42")
    assert len(session.ran) == 1


@pytest.mark.parametrize(
    "completion", [UNFINISHED, Completion("   ", FinishReason.STOP), Completion("", FinishReason.STOP)]
)
async def test_a_model_that_never_acts_runs_out_of_steps_and_nothing_is_executed(completion: Completion) -> None:
    session = Session()
    trajectory = await act(session, SETTINGS, [completion])
    assert (trajectory.stop_reason, len(trajectory.steps)) == (StopReason.MAX_STEPS, 3)
    assert not trajectory.stop_reason.is_system
    assert (trajectory.num_invalid_actions, trajectory.repeated, session.ran) == (3, True, [])


async def test_candidates_that_are_no_actions_lose_to_one_that_is() -> None:
    empty = Completion("", FinishReason.STOP)
    trajectory = await act(Session(), VOTING[3], [empty, UNFINISHED, ANSWER])
    assert trajectory.answer == "42"
    assert [candidate.chosen for candidate in trajectory.steps[0].candidates] == [False, False, True]


async def test_a_candidate_that_the_retriever_failed_has_lost_no_vote() -> None:
    asks = Completion("Thought: I ask.\nCode:\n```py\nsearch('6 times 7')\n```<end_code>", FinishReason.STOP)
    trajectory = await act(Session(), VOTING[2], [asks, ANSWER])
    assert trajectory.stop_reason is StopReason.RETRIEVER_ERROR
    assert "no replica answers" in trajectory.error


async def test_a_retriever_that_is_busy_to_the_end_is_no_mistake_of_the_model() -> None:
    class Busy(Session):
        async def run(self, code: str) -> Outcome:
            return Outcome("", error=CodeError("BusyError", "it holds 512 queries"))

    trajectory = await act(Busy(), SETTINGS, [ANSWER])
    assert trajectory.stop_reason is StopReason.RETRIEVER_ERROR


async def test_the_engines_tokens_are_kept_as_far_as_they_were_asked_for() -> None:
    told = dataclasses.replace(ANSWER, logprobs=(-0.5, -0.25))
    asked: list[bool] = []

    async def generate(request: Request) -> list[Completion]:
        asked.append(request.sampling.logprobs)
        return [told if request.sampling.logprobs else ANSWER]

    (plain,) = (await run_episode(QUESTION, generate, Session(), SETTINGS)).steps
    assert (plain.token_ids, plain.prompt_token_ids, plain.logprobs) == ((7, 8), (), ())
    settings = EpisodeSettings(run_id="run", agent=dataclasses.replace(AGENT, logprobs=True, prompt_token_ids=True))
    (full,) = (await run_episode(QUESTION, generate, Session(), settings)).steps
    assert (full.token_ids, full.prompt_token_ids, full.logprobs) == ((7, 8), (1,), (-0.5, -0.25))
    assert asked == [False, True]
