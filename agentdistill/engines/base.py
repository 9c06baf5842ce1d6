"""How an engine is opened, and what its opener tells beforehand: the GPUs that it takes, and its name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from agentdistill import plugins
from agentdistill.config import EngineConfig
from agentdistill.errors import AgentDistillError, ConfigError, EngineError
from agentdistill.types import Engine

#: Opens the engine that a config describes. Raises EngineError, MissingPartError, ConfigError. It may have two
#: attributes, `gpus` (EngineConfig -> how many it takes where there are any; 0 without the attribute) and `engine_name`
#: (EngineConfig -> its name in records, known before it is opened; the config's `model` without the attribute).
Opener = Callable[[EngineConfig], Awaitable[Engine]]

_Opener = TypeVar("_Opener", bound=Opener)
_MEMBERS = ("__call__", "model", "revision", "load", "dead", "close")


def tells(
    gpus: Callable[[EngineConfig], float] | None = None, engine_name: Callable[[EngineConfig], str] | None = None
) -> Callable[[_Opener], _Opener]:
    """A decorator that gives an opener these attributes."""

    def mark(opener: _Opener) -> _Opener:
        for name, told in (("gpus", gpus), ("engine_name", engine_name)):
            if told is not None:
                setattr(opener, name, told)
        return opener

    return mark


async def open_engine(config: EngineConfig) -> Engine:
    """Open the engine that the config names. Raises EngineError, MissingPartError, ConfigError."""
    opener: Opener = plugins.load("engine", config.engine)
    try:
        engine = await opener(config)
    except AgentDistillError:
        raise
    except Exception as error:  # an engine of somebody else's may raise anything
        raise EngineError(f"engine {config.engine}: cannot be opened: {type(error).__name__}: {error}") from error
    missing = [member for member in _MEMBERS if not hasattr(engine, member)]
    if missing:
        raise ConfigError(
            f"engine {config.engine!r}: opened a {type(engine).__name__}, which lacks {', '.join(missing)}; expected "
            "an agentdistill.types.Engine"
        )
    return engine


def engine_name(config: EngineConfig) -> str:
    """What an engine of this config is called in records; known before it is opened."""
    named: Callable[[EngineConfig], str] | None = getattr(plugins.load("engine", config.engine), "engine_name", None)
    return config.model if named is None else named(config)


def engine_gpus(config: EngineConfig) -> float:
    """GPUs that an engine of this config takes where there are any; none unless its opener says otherwise."""
    told: Callable[[EngineConfig], float] | None = getattr(plugins.load("engine", config.engine), "gpus", None)
    return 0.0 if told is None else float(told(config))


def actor_gpus(config: EngineConfig, given: float | None, cluster_has_gpus: bool) -> float:
    """GPUs that an actor with this engine asks Ray for: what the config gives, else those of its engine."""
    if given is not None:
        return given
    return engine_gpus(config) if cluster_has_gpus else 0.0
