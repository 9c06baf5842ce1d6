"""The objective that a config asks for, checked."""

from __future__ import annotations

import inspect
from typing import Any

from agentdistill import plugins
from agentdistill.config.train import TrainConfig
from agentdistill.errors import ConfigError
from agentdistill.train.objectives.base import Objective


def make_objective(config: TrainConfig) -> Objective:
    """Import and make `train.objective`.

    Raises ConfigError where there is none of that name, its settings do not fit it, or it is no objective.
    """
    found = plugins.load("objective", config.objective)
    if inspect.isclass(found):
        made = _made(found, config)
    elif config.objective_settings:
        raise ConfigError(
            f"train.objective_settings = {config.objective_settings}: {config.objective} is not a class, so it takes "
            "no settings; expected {}"
        )
    else:
        made = found
    problem = _problem(made)
    if problem is not None:
        expected = plugins.DOORS["objective"].expected
        raise ConfigError(f"train.objective = {config.objective}: {problem}, expected {expected}")
    objective: Objective = made
    return objective


def _made(kind: type, config: TrainConfig) -> Any:
    try:
        return kind(**config.objective_settings)
    except Exception as error:  # a class of somebody else's may raise anything
        raise ConfigError(
            f"train.objective_settings = {config.objective_settings}: {config.objective} cannot be made with them: "
            f"{type(error).__name__}: {error}"
        ) from error


def _problem(made: Any) -> str | None:
    columns = getattr(made, "columns", None)
    if not isinstance(columns, tuple | list) or not all(isinstance(name, str) for name in columns):
        return f"its columns are {columns!r}"
    if not callable(made):
        return "it cannot be called"
    try:
        inspect.signature(made).bind(None, None, None)
    except TypeError:
        return f"it takes {inspect.signature(made)}"
    return None
