"""The recipe that a config names, with its settings, as a story of verbs."""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections.abc import Callable
from typing import Any

from agentdistill import plugins
from agentdistill.config import RunConfig, fill
from agentdistill.errors import ConfigError
from agentdistill.run import Run

_RECORD = "recipe"


def recipe_of(config: RunConfig) -> Callable[[Run], None]:
    """What `recipe` and `recipe_settings` stand for; they bind the run folder.

    Raises ConfigError where the recipe is not known or takes something else than (run) or (run, settings), and where a
    setting is not one of its own.
    """
    function = plugins.load("recipe", config.recipe)
    schema = _schema(function, config.recipe)
    if schema is None and config.recipe_settings:
        given = ", ".join(map(str, config.recipe_settings))
        raise ConfigError(f"recipe_settings: {given}: recipe {config.recipe!r} has no settings, expected none")
    settings = None if schema is None else fill(schema, config.recipe_settings, "recipe_settings")
    bound = {"recipe": config.recipe, "recipe_settings": {} if settings is None else settings}

    def story(run: Run) -> None:
        run.bind(_RECORD, bound)
        function(run) if settings is None else function(run, settings)

    return story


def _schema(function: Callable[..., Any], name: str) -> type[Any] | None:
    """The dataclass that annotates the second parameter; None where there is no second parameter."""
    parameters = list(inspect.signature(function).parameters.values())
    if len(parameters) == 1:
        return None
    hint = _hints(function).get(parameters[1].name) if len(parameters) == 2 else None
    if not (isinstance(hint, type) and dataclasses.is_dataclass(hint)):
        raise ConfigError(f"recipe {name!r}: takes {inspect.signature(function)}, expected {_EXPECTED}")
    return hint


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    return typing.get_type_hints(function if inspect.isfunction(function) else type(function).__call__)


_EXPECTED = plugins.DOORS["recipe"].expected
