"""A phase that a user brings, as a call like the others."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from agentdistill import storage
from agentdistill.config import RunConfig
from agentdistill.config.settings import binding
from agentdistill.errors import ConfigError
from agentdistill.run.folder import RunFolder
from agentdistill.run.handles import Handle
from agentdistill.run.kinds import PHASES, checked_name
from agentdistill.run.phases.base import Ask, Call, OwnPhase, Phase

KIND = "phase"
_TAKEN = {*PHASES, "recipe"}


def own_call(found: OwnPhase, run: Any, config: RunConfig, folder: RunFolder) -> Call:
    """The phase as a call. Raises ConfigError where its name is taken, or its settings are not plain values."""
    name = checked_name(found.name)
    if name in _TAKEN or name.split("-")[0] in PHASES:
        raise ConfigError(f"phase {name!r}: the name of a phase that is there already; expected another one")
    settings = getattr(found, "settings", {})
    _check_plain(binding(settings), f"phase {name!r}: its settings")
    inputs: Mapping[str, Handle] = getattr(found, "inputs", {})
    makes: type[Handle] = getattr(found, "makes", Handle)

    def do(call: Call) -> dict[str, Any]:
        summary = found.do(run)
        if not isinstance(summary, dict):
            raise ConfigError(f"phase {name!r}: do(run) gave a {type(summary).__name__}, expected a dict")
        _check_plain(summary, f"phase {name!r}: its summary")
        return summary

    phase = Phase(KIND, name, (), do, _brief, _ask, follows=True)
    output = makes(name, storage.join(folder.path, name), folder)
    return Call(phase, name, config, folder, inputs, output, {"settings": settings})


def _check_plain(value: Any, what: str) -> None:
    try:
        json.dumps(value)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{what} cannot be stored as JSON ({error}), expected plain values") from error


def _brief(summary: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}: {value}" for key, value in summary.items() if isinstance(value, str | int | float))


def _ask(call: Call) -> Ask:
    return Ask(call.name, "a phase of the recipe's own", "this process", 1, 0)
