"""What a user of the package brings in a module of their own: one small part for each door."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from agentdistill.config import EngineConfig, TaskConfig
from agentdistill.engines import ScriptedEngine
from agentdistill.select import to_example
from agentdistill.traces.conversations import Conversation, read_conversation
from agentdistill.types import Grade, Question, TrainingExample, Trajectory


def _says(words: str) -> ScriptedEngine:
    return ScriptedEngine(lambda messages, seed: words, name="own")


async def engine(config: EngineConfig) -> ScriptedEngine:
    return _says(config.settings["words"])


async def engine_on_gpus(config: EngineConfig) -> ScriptedEngine:
    return _says("on gpus")


engine_on_gpus.gpus = lambda config: config.settings["gpus"]  # type: ignore[attr-defined]
engine_on_gpus.engine_name = lambda config: "own, on gpus"  # type: ignore[attr-defined]


async def engine_of_nothing(config: EngineConfig) -> Any:
    return object()


async def engine_that_breaks(config: EngineConfig) -> Any:
    raise KeyError("no card")


def not_an_opener(one: Sequence[str], other: int) -> None:
    """Takes two arguments, where an opener takes one."""


def riddles(config: TaskConfig) -> list[Question]:
    """Ten of them, of the kind that its settings name."""
    kind = config.settings.get("kind", "own_parts:close_enough")
    return [Question(f"r{i}", f"Riddle {i}?", (str(i),), kind, "riddles", {"level": str(i)}) for i in range(10)]


def broken_riddles(config: TaskConfig) -> Any:
    """What its settings say, or an error."""
    return config.settings["questions"]


async def close_enough(question: Question, answer: str | None) -> Grade | None:
    """Right within one; a question's level of 0 cannot be graded, and a word breaks it."""
    if question.metadata.get("level") == "0":
        return None
    if answer is None:
        return Grade(0.0, False, "close-1")
    distance = abs(int(answer) - int(question.answers[0]))
    return Grade(1 / (1 + distance), distance <= 1, "close-1")


async def never_a_grade(question: Question, answer: str | None) -> Any:
    return True


def not_async(question: Question, answer: str | None) -> Grade | None:
    return None


def second_thoughts(trajectory: Trajectory) -> str | None:
    """A rule: nothing but the first sample."""
    return "second thoughts" if trajectory.sample_index else None


def no_rule(trajectory: Trajectory) -> Any:
    """Raises on q2, and says True of the others."""
    return {"q1": True}[trajectory.question_id]


def joined(trajectories: list[Trajectory]) -> list[TrainingExample]:
    """A maker: one example a question, named after all its samples; none where there is but one."""
    if len(trajectories) < 2:
        return []
    samples = "+".join(str(trajectory.sample_index) for trajectory in trajectories)
    example = to_example(trajectories[0])
    return [dataclasses.replace(example, example_id=f"{example.question_id}:{samples}")]


def no_maker(trajectories: list[Trajectory]) -> list[Any]:
    """Makes a number of q1, two of one id of q2, and raises on the others."""
    made = {"q1": [7], "q2": [to_example(trajectories[0])] * 2}
    return made[trajectories[0].question_id]


def forecast(city: str, days: int = 1) -> str:
    """Tells the weather of a city. It knows no more than
    three days.

    The agent never reads this.
    """
    return f"{city}: sun for {days} days"


async def population(city):
    """GeoNames' count of a city's people"""
    return {"Oslo": 700_000}[city]


def search(query: str) -> str:
    """Finds nothing."""
    return f"nothing about {query}"


def final_answer(x: object) -> None:
    """Takes the place of what ends an episode."""


def wordless(city: str) -> str:
    return city


def greedy(*cities: str) -> str:
    """Takes any number of cities."""
    return ", ".join(cities)


def open_ended(**cities: str) -> str:
    """Takes any number of names."""
    return ", ".join(cities)


def _nameless() -> Any:
    return lambda city: city


nameless = _nameless()


class _Pairs:
    """A form that can be read only: the question and what the agent wrote."""

    column = "pair"

    def fits(self, row: Mapping[str, Any]) -> bool:
        return "pair" in row

    def read(self, row: Mapping[str, Any]) -> Conversation:
        asked, written = row["pair"]
        messages = [{"role": "user", "content": asked}, {"role": "assistant", "content": written}]
        return read_conversation(messages, has_responses=False)


pairs = _Pairs()


def sorted(items: list[str]) -> list[str]:
    """Sorts nothing."""
    return items


async def a_grade_of_words(question: Question, answer: str | None) -> Any:
    """A grade whose fields are what the question's metadata says."""
    values = {"score": 1.0, "correct": True, "grader": "words", **question.metadata}
    return Grade(**values)


class _BrokenForm:
    column = "pair"

    def fits(self, row: Mapping[str, Any]) -> bool:
        return bool(row["nowhere"])

    def read(self, row: Mapping[str, Any]) -> Any:
        return None


broken_form = _BrokenForm()


class _EmptyForm(_BrokenForm):
    def fits(self, row: Mapping[str, Any]) -> bool:
        return True


empty_form = _EmptyForm()
