"""How a config field states what it accepts: `setting(default, ge=..., le=..., choices=...)`, and whether it binds.

OmegaConf checks the type; the bounds stated here are checked by `check_bounds` and named in the error. Values are
closed (`choices`), names are open (`plugin`, see `agentdistill.plugins`). A setting binds
where it can change a result: `binding` gives those, and what is made with some is not gone on with under others.
`binds=False` marks what changes only where or how fast work is done.
"""

import dataclasses
from collections.abc import Iterator
from enum import Enum
from pathlib import PurePath
from typing import Any

from agentdistill import plugins


def setting(
    default: Any = dataclasses.MISSING,
    *,
    factory: Any = dataclasses.MISSING,
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    choices: tuple[str, ...] = (),
    plugin: str | None = None,
    binds: bool = True,
) -> Any:
    """A dataclass field with bounds. `choices`, and `plugin`, a kind of name, also hold for each item of a list."""
    metadata = {"ge": ge, "gt": gt, "le": le, "choices": choices, "plugin": plugin, "binds": binds}
    if factory is not dataclasses.MISSING:
        return dataclasses.field(default_factory=factory, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def section(factory: type, *, binds: bool = True) -> Any:
    """A nested config dataclass with its own defaults."""
    return dataclasses.field(default_factory=factory, metadata={"binds": binds})


def binds(field: dataclasses.Field[Any]) -> bool:
    """Whether the setting can change a result."""
    return bool(field.metadata.get("binds", True))


def binding(value: Any) -> Any:
    """The settings of a config dataclass that can change a result, as JSON gives them back: dicts, lists, scalars."""
    if dataclasses.is_dataclass(value):
        return {item.name: binding(getattr(value, item.name)) for item in dataclasses.fields(value) if binds(item)}
    if isinstance(value, dict):
        return {str(key): binding(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [binding(item) for item in value]
    if isinstance(value, Enum):
        return binding(value.value)
    return str(value) if isinstance(value, PurePath) else value


def check_bounds(config: Any, prefix: str = "") -> Iterator[tuple[str, Any, str]]:
    """Yield (key, value, what was expected) for each value out of its bounds, depth first.

    A config dataclass may add checks across fields with a method `problems()` that yields the same triples.
    """
    for item in dataclasses.fields(config):
        key, value = f"{prefix}{item.name}", getattr(config, item.name)
        if dataclasses.is_dataclass(value):
            yield from check_bounds(value, f"{key}.")
        elif isinstance(value, list) and value and dataclasses.is_dataclass(value[0]):
            for index, entry in enumerate(value):
                yield from check_bounds(entry, f"{key}[{index}].")
        elif isinstance(value, dict) and any(dataclasses.is_dataclass(entry) for entry in value.values()):
            for name, entry in value.items():
                yield from check_bounds(entry, f"{key}.{name}.")
        else:
            yield from _check_value(key, value, item.metadata)
    if hasattr(config, "problems"):
        for key, value, expected in config.problems():
            yield f"{prefix}{key}", value, expected


def _check_value(key: str, value: Any, bounds: Any) -> Iterator[tuple[str, Any, str]]:
    if value is None or not bounds:
        return
    if bounds.get("choices"):
        for entry in value if isinstance(value, list) else [value]:
            if entry not in bounds["choices"]:
                yield key, entry, "one of " + ", ".join(bounds["choices"])
        return
    if kind := bounds.get("plugin"):
        for name in value if isinstance(value, list) else [value]:
            if not plugins.is_known(kind, name):
                yield key, name, plugins.three_ways(kind, name)
        return
    if not isinstance(value, int | float) or isinstance(value, bool):
        return
    if bounds.get("ge") is not None and value < bounds["ge"]:
        yield key, value, f"at least {bounds['ge']:g}"
    elif bounds.get("gt") is not None and value <= bounds["gt"]:
        yield key, value, f"more than {bounds['gt']:g}"
    elif bounds.get("le") is not None and value > bounds["le"]:
        yield key, value, f"at most {bounds['le']:g}"
