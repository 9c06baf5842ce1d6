"""What binds a phase, compared: the settings that its record holds with those that it would be made with now."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from agentdistill.config import RunConfig
from agentdistill.config.settings import binding, binds


def sections_of(config: RunConfig, names: tuple[str, ...]) -> dict[str, Any]:
    """The named sections (or single settings) of the root."""
    return {name: getattr(config, name) for name in names}


def changes(recorded: Mapping[str, Any], sections: Mapping[str, Any]) -> list[str]:
    """`key: LEFT there, RIGHT here` for each setting of these sections that was recorded with another value.

    A setting that the record does not know counts there as its default, one that does not bind any more is left out.
    """
    defaults = RunConfig()
    found: list[str] = []
    for name, value in sections.items():
        there = _completed(recorded[name], value) if name in recorded else binding(getattr(defaults, name, None))
        found += differences(there, binding(value), name)
    return found


def differences(left: Any, right: Any, prefix: str = "") -> list[str]:
    """`key: LEFT there, RIGHT here` for each plain value that differs."""
    if isinstance(left, dict) and isinstance(right, dict):
        found = []
        for key in {**left, **right}:
            found += differences(left.get(key), right.get(key), f"{prefix}.{key}" if prefix else key)
        return found
    if isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        found = []
        for index, (one, other) in enumerate(zip(left, right, strict=True)):
            found += differences(one, other, f"{prefix}[{index}]")
        return found
    same = left == right or (left != left and right != right)  # NaN is no other value than it was
    return [] if same else [f"{prefix}: {left} there, {right} here"]


def _completed(recorded: Any, value: Any) -> Any:
    """What was recorded of `value`, in the shape that it has today."""
    if dataclasses.is_dataclass(value) and isinstance(recorded, dict):
        fields = dataclasses.fields(value)
        gone = {key: item for key, item in recorded.items() if key not in {field.name for field in fields}}
        kept = {
            field.name: _completed(recorded[field.name], getattr(value, field.name))
            if field.name in recorded
            else _default(field)
            for field in fields
            if binds(field)
        }
        return {**kept, **gone}
    if isinstance(value, list) and isinstance(recorded, list) and len(value) == len(recorded):
        return [_completed(one, other) for one, other in zip(recorded, value, strict=True)]
    return recorded


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return binding(field.default_factory())
    return None if field.default is dataclasses.MISSING else binding(field.default)
