"""The recipe that a config names, with its settings, as a story of verbs."""

from __future__ import annotations

import dataclasses
import inspect
import types
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
    if (lazy := _lazy(function)) is not None:
        raise ConfigError(f"recipe {config.recipe!r}: is {lazy}, which does nothing by itself, expected {_EXPECTED}")
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
    try:
        signature = inspect.signature(function)
    except ValueError as error:
        raise ConfigError(f"recipe {name!r}: does not tell its parameters, expected {_EXPECTED}") from error
    parameters = list(signature.parameters.values())
    if any(parameter.kind not in _POSITIONAL for parameter in parameters) or len(parameters) not in (1, 2):
        raise ConfigError(f"recipe {name!r}: takes {signature}, expected {_EXPECTED}")
    if len(parameters) == 1:
        return None
    hint = _resolved(parameters[1].annotation, function, name)
    if not (isinstance(hint, type) and dataclasses.is_dataclass(hint)):
        raise ConfigError(f"recipe {name!r}: takes {signature}, expected {_EXPECTED}")
    return hint


def _resolved(annotation: Any, function: Callable[..., Any], name: str) -> Any:
    """The annotation itself where the module has it as text. That of `run` may name what only a checker imports."""
    if not isinstance(annotation, str):
        return annotation
    called = inspect.unwrap(function) if inspect.isroutine(function) else type(function).__call__
    spelled = types.FunctionType((lambda settings: None).__code__, getattr(called, "__globals__", {}))
    spelled.__annotations__ = {"settings": annotation}
    try:
        return typing.get_type_hints(spelled)["settings"]
    except Exception as error:  # the text may be any expression
        raise ConfigError(
            f"recipe {name!r}: its settings are {annotation}, which its module does not have when it runs "
            f"({type(error).__name__}: {error}); expected {_EXPECTED}"
        ) from error


def _lazy(function: Callable[..., Any]) -> str | None:
    """What it is, where calling it runs none of it."""
    called = function if inspect.isroutine(function) else type(function).__call__
    if inspect.iscoroutinefunction(called) or inspect.isasyncgenfunction(called):
        return "async"
    return "a generator" if inspect.isgeneratorfunction(called) else None


_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


_EXPECTED = plugins.DOORS["recipe"].expected
