"""The one way in for what a user brings: a task, a grader, a tool, an environment, an engine, ... by its name.

A name is looked up in three places, in this order:

1. the built-in names of its kind (`BUILT_IN`), which no package can take;
2. the entry points `agentdistill.KIND` of installed packages, as in
   `[project.entry-points."agentdistill.task"]` with `riddles = "my_package.riddles:questions"`;
3. `package.module:attribute`, imported as it stands.

Nothing registers itself by being imported, and no name is imported before it is asked for. What each kind has to be is
in docs/extending.md.
"""

from __future__ import annotations

import difflib
import functools
import importlib
import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from agentdistill.errors import ConfigError

_GROUP = "agentdistill."


@dataclass(frozen=True, slots=True)
class Door:
    """What a kind of extension has to be."""

    expected: str  # for messages: "a function (config) that returns a list of Question"
    parameters: int | None = None  # positional arguments that it must take; None: any
    members: tuple[str, ...] = ()  # attributes that it must have
    is_async: bool = False  # whether calling it gives something to await


#: Every kind that can be brought, and what it has to be.
DOORS: dict[str, Door] = {
    "environment": Door(
        "a class with reset(question), step(action) and close(), all async", members=("reset", "step", "close")
    ),
    "engine": Door("an async function (EngineConfig) that returns an agentdistill.types.Engine", 1, is_async=True),
    "task": Door("a function (TaskConfig) that returns a list of Question", parameters=1),
    "grader": Door("an async function (question, answer) that returns a Grade or None", 2, is_async=True),
    "rule": Door("a function (Trajectory) that returns the reason to drop it, or None", parameters=1),
    "maker": Door("a function (list of Trajectory) that returns a list of TrainingExample", parameters=1),
    "tool": Door("a function with a docstring, whose parameters each have a name", members=("__name__", "__call__")),
    "format": Door(
        "an object with column, fits(row) and read(row), as agentdistill.traces.formats.base has it",
        members=("column", "fits", "read"),
    ),
    "expert": Door("a function (messages, seed) that returns text", parameters=2),
    "objective": Door(
        "an object, or a class called with train.objective_settings, that has columns (a tuple of names) and is called "
        "with (head, hidden, row) for a row's summed loss"
    ),
    "program": Door("an async function (question, engines, environment, settings) to a Trajectory", parameters=4),
    "protocol": Door(
        "an object with name, stop, prompt, read(text, finish_reason) and observe(turn, outcome, max_chars)",
        members=("name", "stop", "prompt", "read", "observe"),
    ),
    "recipe": Door("a function (run) or (run, settings), where settings is a dataclass", members=("__call__",)),
    "phase": Door("a phase: name, and do(run) that returns a summary", members=("name", "do")),
}

#: The names that come with this package, as the places where they are.
BUILT_IN: dict[str, dict[str, str]] = {
    "environment": {
        "python": "agentdistill.environments.python:PythonEnvironment",
        "passages": "agentdistill.environments.passages:PassagesEnvironment",
        "none": "agentdistill.environments.none:NoEnvironment",
    },
    "engine": {
        "vllm": "agentdistill.engines.vllm:open_engine",
        "openai": "agentdistill.engines.openai:open_engine",
        "scripted": "agentdistill.engines.scripted:open_engine",
    },
    "grader": {
        "math": "agentdistill.grading.grader:grade_mathematics",
        "factual": "agentdistill.grading.grader:grade_facts",
    },
    "format": {
        "smolagents": "agentdistill.traces.formats.smolagents:SMOLAGENTS",
        "chat": "agentdistill.traces.formats.chat:CHAT",
    },
    "expert": {"world": "agentdistill.tasks.world.expert:expert"},
    "objective": {"cross_entropy": "agentdistill.train.objectives.cross_entropy:CrossEntropy"},
    "protocol": {
        "thought_code": "agentdistill.agent.protocols.thought_code:THOUGHT_CODE",
        "chain_of_thought": "agentdistill.agent.protocols.chain_of_thought:CHAIN_OF_THOUGHT",
    },
    "recipe": {"paper": "agentdistill.recipes.paper:distill"},
}


def load(kind: str, name: str) -> Any:
    """What the name stands for, imported.

    Raises ConfigError in one sentence where the name is unknown (the nearest names are shown), two packages claim it,
    its module cannot be imported, or what is there is not what the kind has to be. KeyError for an unknown kind.
    """
    return _check(kind, name, DOORS[kind], _import(kind, name, _target(kind, name)))


def check(kind: str, found: Any) -> Any:
    """What was given in place of a name. Raises ConfigError where it is not what the kind has to be."""
    return _check(kind, str(getattr(found, "name", _described(found))), DOORS[kind], found)


def names(kind: str) -> list[str]:
    """Every name of the kind that needs no colon: built-in ones first, then those of installed packages."""
    return [*BUILT_IN.get(kind, {}), *(name for name in sorted(_installed(kind)) if name not in BUILT_IN.get(kind, {}))]


def is_known(kind: str, name: str) -> bool:
    """Whether `load` would find something to import; nothing is imported."""
    return ":" in name or name in BUILT_IN.get(kind, {}) or name in _installed(kind)


def three_ways(kind: str, name: str, also: Sequence[str] = (), aliases: Sequence[str] = ()) -> str:
    """For messages: what was expected in place of the unknown name, the nearest known names first.

    `also` are names that the kind has besides, `aliases` such as are shown only where they are near.
    """
    known = [*also, *(other for other in names(kind) if other not in also)]
    near = difflib.get_close_matches(name, [*known, *(alias for alias in aliases if alias not in known)], 3, 0.5)
    listed = ", ".join([*near, *(other for other in known if other not in near)]) or "none is built in"
    nearest = f"; did you mean {' or '.join(near)}?" if near else ""
    return (
        f"a known {kind} ({listed}), the entry point agentdistill.{kind} of an installed package, or "
        f"package.module:name{nearest}"
    )


def _target(kind: str, name: str) -> str | EntryPoint:
    if name in BUILT_IN.get(kind, {}):
        return BUILT_IN[kind][name]
    claims = _installed(kind).get(name, [])
    if len(claims) > 1:
        packages = " and ".join(sorted({_package(claim) for claim in claims}))
        raise ConfigError(
            f"{kind} {name!r}: {packages} both claim the name; expected one of them, or package.module:name"
        )
    if claims:
        return claims[0]
    if ":" in name:
        return name
    raise ConfigError(f"{kind} {name!r}: there is none of that name; expected {three_ways(kind, name)}")


def forget_installed() -> None:
    """Look at the installed packages again when next asked: for a process in which some were installed meanwhile."""
    _installed.cache_clear()


@functools.cache
def _installed(kind: str) -> dict[str, list[EntryPoint]]:
    """The entry points of the kind by name; several where packages claim one name."""
    found: dict[str, list[EntryPoint]] = {}
    for point in entry_points(group=f"{_GROUP}{kind}"):
        claims = found.setdefault(point.name, [])
        if all(claim.value != point.value for claim in claims):
            claims.append(point)
    return found


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else point.value


def _import(kind: str, name: str, target: str | EntryPoint) -> Any:
    value = target if isinstance(target, str) else target.value
    whose = "" if isinstance(target, str) else f" of the package {_package(target)}"
    module, _, attribute = value.partition(":")
    if not all(part.isidentifier() for part in (*module.split("."), *attribute.split("."))):
        raise ConfigError(f"{kind} {name!r}: {value}{whose} names no part of a module, expected package.module:name")
    try:
        found: Any = importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except (Exception, SystemExit) as error:  # a module of somebody else's may raise anything as it is imported
        raise ConfigError(
            f"{kind} {name!r}: {value}{whose} cannot be imported: {type(error).__name__}: {error}"
        ) from error
    return found


def _check(kind: str, name: str, door: Door, found: Any) -> Any:
    if door.parameters is not None and not _takes(found, door.parameters):
        raise ConfigError(f"{kind} {name!r}: is {_described(found)}, expected {door.expected}")
    if door.is_async and not _is_async(found):
        raise ConfigError(f"{kind} {name!r}: {_described(found)} is not async, expected {door.expected}")
    missing = [member for member in door.members if not hasattr(found, member)]
    if missing:
        raise ConfigError(f"{kind} {name!r}: {_described(found)} lacks {', '.join(missing)}, expected {door.expected}")
    return found


def _takes(found: Any, count: int) -> bool:
    """Whether it can be called with so many positional arguments."""
    if not callable(found):
        return False
    try:
        inspect.signature(found).bind(*[None] * count)
    except TypeError:
        return False
    except ValueError:  # a built-in function without a signature
        return True
    return True


def _is_async(found: Any) -> bool:
    called = found if inspect.isroutine(found) or isinstance(found, functools.partial) else type(found).__call__
    return inspect.iscoroutinefunction(called)


def _described(found: Any) -> str:
    if inspect.isfunction(found) or inspect.isclass(found):
        try:
            return f"{found.__name__}{inspect.signature(found)}"
        except (TypeError, ValueError):
            return f"{found.__name__}"
    return f"a {type(found).__name__}"
