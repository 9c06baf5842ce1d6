"""What a user of the package brings in a module of their own: one small part for each door."""

from collections.abc import Sequence
from typing import Any

from agentdistill.config import EngineConfig, TaskConfig
from agentdistill.engines import ScriptedEngine
from agentdistill.types import Grade, Question


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
