"""A phase that a user brings, as a call like the others."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from agentdistill import storage
from agentdistill.config import RunConfig
from agentdistill.config.settings import binding
from agentdistill.errors import AgentDistillError, ConfigError
from agentdistill.run.folder import RESERVED, RESERVED_STEMS, RunFolder
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
    if name in RESERVED or name.split("-")[0] in RESERVED_STEMS:
        raise ConfigError(f"phase {name!r}: the name of a folder that other phases write to; expected another one")
    settings = getattr(found, "settings", {})
    _check_plain(binding(settings), f"phase {name!r}: its settings")
    inputs, makes = _inputs(found, name), _makes(found, name)

    def do(call: Call) -> dict[str, Any]:
        try:
            summary = found.do(run)
        except AgentDistillError:
            raise
        except Exception as error:  # a phase of somebody else's may raise anything
            raise ConfigError(f"phase {name!r}: do(run) raised {type(error).__name__}: {error}") from error
        if not isinstance(summary, dict):
            raise ConfigError(f"phase {name!r}: do(run) gave a {type(summary).__name__}, expected a dict")
        _check_plain(summary, f"phase {name!r}: its summary")
        return summary

    phase = Phase(KIND, name, (), do, _brief, _ask, follows=True)
    output = makes(name, storage.join(folder.path, name), folder)
    return Call(phase, name, config, folder, inputs, output, {"settings": settings})


def _inputs(found: OwnPhase, name: str) -> Mapping[str, Handle]:
    inputs: object = getattr(found, "inputs", {})
    if not isinstance(inputs, Mapping):
        raise ConfigError(f"phase {name!r}: inputs is a {type(inputs).__name__}, expected a dict of handles by role")
    for role, handle in inputs.items():
        if not isinstance(handle, Handle):
            raise ConfigError(
                f"phase {name!r}: its input {role!r} is a {type(handle).__name__}, expected a handle, as verbs return"
            )
    return inputs


def _makes(found: OwnPhase, name: str) -> type[Handle]:
    makes: object = getattr(found, "makes", Handle)
    if not (isinstance(makes, type) and issubclass(makes, Handle)):
        raise ConfigError(f"phase {name!r}: makes is {makes!r:.60}, expected a class of handles, such as Trajectories")
    return makes


def _check_plain(value: Any, what: str) -> None:
    try:
        json.dumps(value)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{what} cannot be stored as JSON ({error}), expected plain values") from error


def _brief(summary: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}: {value}" for key, value in summary.items() if isinstance(value, str | int | float))


def _ask(call: Call) -> Ask:
    return Ask(call.name, "a phase of the recipe's own", "this process", 1, 0)
