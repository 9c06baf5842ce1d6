"""Episodes in an environment of one's own, with and without several candidates a step; and programs of one's own."""

from __future__ import annotations

import copy
import dataclasses
import re
from collections.abc import Mapping

import pytest

from agentdistill.agent import EpisodeSettings, Start, make_trajectory, run_episode
from agentdistill.config import AgentConfig, SagConfig
from agentdistill.environments import open_environment
from agentdistill.environments.none import NoEnvironment
from agentdistill.errors import ConfigError, EngineError
from agentdistill.types import (
    ActionError,
    CodeError,
    CodeSession,
    Completion,
    Environment,
    FinishReason,
    Generate,
    Kind,
    Message,
    Outcome,
    Question,
    Request,
    Role,
    Sampling,
    Step,
    StopReason,
    Trajectory,
)

QUESTION = Question("q1", "Open the door.", ("open",), Kind.FACTUAL, "games")
OPENED: list[Door] = []


class Door:
    """A text game: a key lies in one of the drawers, and opens the door."""

    def __init__(self, drawer: int = 2) -> None:
        self.drawer, self.has_key, self.moves, self.closed = drawer, False, 0, False
        OPENED.append(self)

    async def reset(self, question: Question) -> str:
        return "A door, and drawers."

    async def step(self, action: str) -> Outcome:
        self.moves += 1
        if action == "door" and self.has_key:
            return Outcome("", final_answer="open", is_final=True)
        if action == f"drawer {self.drawer}":
            self.has_key = True
            return Outcome("A key!")
        return Outcome("", error=CodeError("Nothing", action)) if action == "door" else Outcome("Dust.")

    async def close(self) -> None:
        self.closed = True


class CopiedDoor(Door):
    async def copy(self) -> CopiedDoor:
        OPENED.append(copy.copy(self))
        return OPENED[-1]  # type: ignore[return-value]


def turn(action: str) -> str:
    return f"Thought: I try.\nCode:\n```py\n{action}\n```<end_code>"


def script(*answers: list[str]) -> Generate:
    left = list(answers)

    async def generate(request: Request) -> list[Completion]:
        return [Completion(turn(action), FinishReason.STOP) for action in left.pop(0)]

    return generate


def settings(candidates: int = 1, **agent: object) -> EpisodeSettings:
    return EpisodeSettings(run_id="run", agent=AgentConfig(prompt="student", sag=SagConfig(n=candidates), **agent))


@pytest.fixture(autouse=True)
def none_opened() -> None:
    OPENED.clear()


async def test_an_episode_is_played_in_an_environment_of_ones_own() -> None:
    game = Door()
    engine = script(["door"], ["drawer 2"], ["door"])
    trajectory = await run_episode(QUESTION, engine, game, settings())
    assert (trajectory.answer, trajectory.stop_reason) == ("open", StopReason.FINAL_ANSWER)
    assert [step.observation for step in trajectory.steps] == ["Error: Nothing: door", "A key!", ""]
    assert trajectory.steps[0].error is ActionError.EXECUTION
    assert trajectory.opening[-1] == Message(Role.USER, "A door, and drawers.\n\nOpen the door.")
    assert not game.closed  # its owner does that


async def test_candidates_are_tried_on_copies_and_the_winner_s_copy_goes_on() -> None:
    game = CopiedDoor()
    engine = script(["door", "drawer 2", "drawer 2"], ["door", "door", "drawer 1"], ["door", "door", "door"])
    trajectory = await run_episode(QUESTION, engine, game, settings(3))
    assert (trajectory.answer, trajectory.stop_reason) == ("open", StopReason.FINAL_ANSWER)
    assert trajectory.steps[0].code == "drawer 2"
    assert [item.chosen for item in trajectory.steps[0].candidates].count(True) == 1
    assert (game.moves, game.closed) == (0, False)
    assert all(other.closed for other in OPENED[1:])


async def test_no_copy_is_left_open_where_the_engine_fails() -> None:
    game = CopiedDoor()

    async def engine(request: Request, answers: list[str] = ["drawer 1", "drawer 2"]) -> list[Completion]:  # noqa: B006
        if not answers:
            raise EngineError("gone")
        return [Completion(turn(answers.pop()), FinishReason.STOP) for _ in range(2)]

    trajectory = await run_episode(QUESTION, engine, game, settings(2))
    assert trajectory.stop_reason is StopReason.ENGINE_ERROR
    assert len(OPENED) > 2
    assert all(other.closed for other in OPENED[1:])


class DoorCopiedAtOnce(Door):
    def copy(self) -> Door:
        return copy.copy(self)


@pytest.mark.parametrize("door", [Door, DoorCopiedAtOnce])
async def test_an_environment_that_cannot_try_candidates_is_refused_before_the_first_request(door: type[Door]) -> None:
    async def engine(request: Request) -> list[Completion]:
        raise AssertionError("nothing may be asked")

    with pytest.raises(
        ConfigError, match=r"agent\.sag\.n is 3, expected 1 with the environment Door\w*: it has neither"
    ):
        await run_episode(QUESTION, engine, door(), settings(3))


class NoSupplies:
    search = None

    def session(self) -> CodeSession:
        raise AssertionError("nobody asked for a session")


def test_an_environment_is_made_of_its_settings_once_an_episode() -> None:
    chosen = settings(environment="test_agent_environments:Door", environment_settings={"drawer": 5})
    first, second = (open_environment(chosen, NoSupplies()) for _ in range(2))
    assert isinstance(first, Door)
    assert (first.drawer, first is second) == (5, False)


@pytest.mark.parametrize(
    ("agent", "said"),
    [
        (
            {"environment": "test_agent_environments:Door", "environment_settings": {"drawr": 5}},
            "cannot be made with agent.environment_settings {'drawr': 5}: TypeError:",
        ),
        ({"environment": "passages"}, "there is no retriever, expected retriever.enabled: true"),
        ({"environment": "test_agent_environments:turn"}, "lacks reset, step, close"),
        ({"environment": "pythn"}, "did you mean python?"),
    ],
)
def test_an_environment_that_cannot_be_made_is_a_sentence(agent: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        open_environment(settings(**agent), NoSupplies())


async def test_nothing_can_be_done_nowhere() -> None:
    trajectory = await run_episode(QUESTION, script(["door"]), NoEnvironment(), settings(max_steps=1))
    assert trajectory.steps[0].error is ActionError.EXECUTION
    assert "NoEnvironment" in trajectory.steps[0].observation


async def plan_then_act(
    question: Question, engines: Mapping[str, Generate], environment: Environment, chosen: EpisodeSettings
) -> Trajectory:
    """A program of two calls: one says what to do, one is told whether that worked and answers."""
    start, asked = Start(), Message(Role.USER, question.text)
    (plan,) = await engines["main"](Request((asked,), Sampling()))
    outcome = await environment.step(plan.text)
    step = Step(plan.text, observation=outcome.stdout)
    messages = (asked, *step.messages)
    (answer,) = await engines["main"](Request(messages, Sampling()))
    return make_trajectory(
        question, chosen, start, opening=(asked,), steps=(step, Step(answer.text)), answer=answer.text,
        stop_reason=StopReason.ANSWERED,
    )  # fmt: skip


async def returns_nothing(question: object, engines: object, environment: object, chosen: object) -> None:
    return None


async def test_a_program_runs_in_place_of_the_loop() -> None:
    seen: list[Request] = []

    async def engine(request: Request) -> list[Completion]:
        seen.append(request)
        return [Completion("drawer 2" if len(seen) == 1 else "I have it.", FinishReason.STOP)]

    chosen = settings(program="test_agent_environments:plan_then_act")
    trajectory = await run_episode(QUESTION, engine, Door(), chosen)
    assert (trajectory.answer, trajectory.stop_reason) == ("I have it.", StopReason.ANSWERED)
    assert seen[1].messages[-1] == Message(Role.USER, "Observation:\nA key!")
    assert [step.text for step in trajectory.steps] == ["drawer 2", "I have it."]


@pytest.mark.parametrize(
    ("program", "failure", "reason", "said"),
    [
        ("plan_then_act", EngineError("gone"), StopReason.ENGINE_ERROR, "EngineError: gone"),
        ("returns_nothing", None, StopReason.INTERNAL_ERROR, "returned a NoneType, expected a Trajectory"),
    ],
)
async def test_a_program_that_fails_leaves_a_record(
    program: str, failure: Exception | None, reason: StopReason, said: str
) -> None:
    async def engine(request: Request) -> list[Completion]:
        assert failure is not None
        raise failure

    chosen = settings(program=f"test_agent_environments:{program}")
    trajectory = await run_episode(QUESTION, engine, Door(), chosen)
    assert (trajectory.stop_reason, trajectory.steps) == (reason, ())
    assert said in trajectory.error


class Silent(Door):
    """Answers with whatever it was made with, in place of what it should."""

    def __init__(self, says: object, does: object) -> None:
        super().__init__()
        self.says, self.does = says, does

    async def reset(self, question: Question) -> str:
        return self.says  # type: ignore[return-value]

    async def step(self, action: str) -> Outcome:
        return self.does  # type: ignore[return-value]

    async def copy(self) -> Silent:
        return Silent(self.says, self.does)


@pytest.mark.parametrize("candidates", [1, 2])
@pytest.mark.parametrize(
    ("says", "does", "error"),
    [
        (None, Outcome(""), "Silent.reset returned a NoneType, expected a text, empty for nothing"),
        ("", None, "Silent.step returned a NoneType, expected an Outcome"),
        ("", "Dust.", "Silent.step returned a str, expected an Outcome"),
    ],
)
async def test_an_environment_that_returns_nothing_of_use_is_a_failure_with_its_reason(
    says: object, does: object, error: str, candidates: int
) -> None:
    engine = script(["door", "drawer 1"][:candidates])
    trajectory = await run_episode(QUESTION, engine, Silent(says, does), settings(candidates))
    assert trajectory.stop_reason is StopReason.INTERNAL_ERROR
    assert trajectory.error == f"TypeError: {error}"
    assert trajectory.steps == ()


async def another_sample(
    question: Question, engines: Mapping[str, Generate], environment: Environment, settings: EpisodeSettings
) -> Trajectory:
    """A program that forgets which sample it makes."""
    other = dataclasses.replace(settings, sample_index=0)
    return make_trajectory(
        question, other, Start(), opening=(), steps=(), answer=None, stop_reason=StopReason.MAX_STEPS
    )


async def test_a_program_that_records_another_episode_than_its_own_leaves_a_record_of_this_one() -> None:
    chosen = dataclasses.replace(settings(program="test_agent_environments:another_sample"), sample_index=1)
    trajectory = await run_episode(QUESTION, script(), Door(), chosen)
    assert trajectory.key == ("run", "q1", 1)
    assert trajectory.error == (
        "ValueError: the program test_agent_environments:another_sample returned the episode "
        "('run', 'q1', 0), expected ('run', 'q1', 1)"
    )
