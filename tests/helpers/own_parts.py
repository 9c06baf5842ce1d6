"""What a user of the package brings in a module of their own: one small part for each door."""

from collections.abc import Sequence
from typing import Any

from agentdistill.config import EngineConfig
from agentdistill.engines import ScriptedEngine


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
