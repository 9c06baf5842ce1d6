"""A Python function becomes a tool: its name, parameters, hints and docstring say all that a prompt has to say."""

from __future__ import annotations

import builtins
import inspect
import keyword
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from agentdistill.errors import ConfigError
from agentdistill.types import ToolText

_FINAL_ANSWER = "final_answer"  # what every session has
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z`\"'(])")
_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that runs on the host's side, and how prompts describe it."""

    text: ToolText
    function: Callable[..., Any]  # may be async; what it returns has to be JSON


def function_tool(function: Callable[..., Any], given: str = "") -> Tool:
    """The function as a tool; `given` is the name under which it was asked for, for messages.

    Raises ConfigError where it has no name that code can call, no docstring, or takes any number of arguments.
    """
    where = f"tool {given or getattr(function, '__name__', repr(function))!r}"
    name = getattr(function, "__name__", "")
    if not inspect.isroutine(function) or not name.isidentifier() or keyword.iskeyword(name):
        raise ConfigError(f"{where}: is {_described(function)}, expected a function with a name that code can call")
    if name == _FINAL_ANSWER:
        raise ConfigError(f"{where}: is named {_FINAL_ANSWER}, which ends an episode; expected another name")
    if hasattr(builtins, name):
        raise ConfigError(
            f"{where}: is named {name}, as a built-in of Python that code may call; expected another name"
        )
    paragraph = _first_paragraph(function)
    if not paragraph:
        raise ConfigError(f"{where}: {name} has no docstring, expected one: it tells the agent what the tool does")
    parameters = _parameters(function, where)
    call = f"{name}({', '.join(_spelled(parameter) for parameter in parameters)})"
    return Tool(ToolText(name, call, _brief(paragraph), _full(paragraph, parameters)), function)


def _described(function: object) -> str:
    return "a lambda" if getattr(function, "__name__", "") == "<lambda>" else f"a {type(function).__name__}"


def _first_paragraph(function: Callable[..., Any]) -> str:
    """On one line; of the docstring of the function itself."""
    return " ".join(inspect.cleandoc(function.__doc__ or "").partition("\n\n")[0].split())


def _parameters(function: Callable[..., Any], where: str) -> list[inspect.Parameter]:
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except ValueError as error:
        raise ConfigError(f"{where}: does not tell its parameters, expected a Python function") from error
    for parameter in parameters:
        if parameter.kind in _VARIADIC:
            raise ConfigError(f"{where}: takes {parameter}, expected parameters that each have a name")
    return parameters


def _spelled(parameter: inspect.Parameter) -> str:
    """As a call would be explained: "days=1"."""
    plain = parameter.replace(annotation=inspect.Parameter.empty)
    return str(plain)


def _brief(paragraph: str) -> str:
    """The first sentence as the rest of one: "tells the weather of a city"."""
    return _lowered(_SENTENCE.split(paragraph, maxsplit=1)[0].rstrip(".!"))


def _full(paragraph: str, parameters: list[inspect.Parameter]) -> str:
    """The paragraph, and the types of the parameters where hints tell them."""
    ended = paragraph if paragraph[-1] in ".!?" else f"{paragraph}."
    hinted = [
        f"{parameter.name}: {_hint(parameter.annotation)}"
        for parameter in parameters
        if parameter.annotation is not inspect.Parameter.empty
    ]
    return _lowered(ended) + (f" Parameters: {', '.join(hinted)}." if hinted else "")


def _hint(annotation: object) -> str:
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def _lowered(text: str) -> str:
    """With a small first letter, unless the first word has more capitals, as a name or an abbreviation has."""
    word = text.split(maxsplit=1)[0]
    return text[:1].lower() + text[1:] if word[1:] == word[1:].lower() else text
