"""What the records decide: whether a phase fits this folder, whether it is to do, and what is written of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from agentdistill.config import RunConfig
from agentdistill.config.settings import binding
from agentdistill.errors import ConfigError, RunFolderError
from agentdistill.run.kinds import PHASES
from agentdistill.run.phases.base import Call
from agentdistill.run.record import version_1 as records_v1
from agentdistill.run.record.binding import changes, differences, sections_of
from agentdistill.run.record.state import Record, State, phase_of

_SHOWN = 3  # differences in a message


def check(state: State, call: Call, config: RunConfig, called: Sequence[Call]) -> None:
    """Raise RunFolderError where the phase, or one that it is made from, was begun with other settings or inputs.

    Of what it is made from only phases are looked at that this run does not call itself: those are checked by their own
    call. Changes nothing.
    """
    seen = {other.name for other in called} | {call.name}
    for handle in call.inputs.values():
        _check_made(state, phase_of(handle.source), config, seen)
    record = state.read(call.name)
    if record is None:
        return
    if record.kind != call.phase.kind:
        _refuse(state, call.name, [f"kind: {record.kind} there, {call.phase.kind} here"])
    found = changes(record.settings, call.settings)
    if not call.phase.gathers:
        sources = _sources(call)
        old = record.made_by == records_v1.MADE_BY  # it names every input that there could have been
        known = {role: source for role, source in record.inputs.items() if role in sources or not old}
        found += differences(known, sources, "inputs")
    _refuse(state, call.name, found)


def check_same(first: Call, second: Call) -> None:
    """Raise ConfigError where one name was given to two phases of one run."""
    same = first.phase.kind == second.phase.kind and _sources(first) == _sources(second)
    if not same or binding(dict(first.settings)) != binding(dict(second.settings)):
        raise ConfigError(f"phase {first.name!r} is named twice; give one of them name=...")


def is_to_do(state: State, call: Call) -> bool:
    """Whether the phase is unfinished, or what it made is gone; or, with nothing built on it yet, whether it ended with
    failures, or its input was made anew."""
    record = state.read(call.name)
    if record is None or not record.is_finished or not call.phase.is_there(call):
        return True
    gathered = call.phase.gathers and record.inputs != _sources(call)
    stale = call.phase.follows and _is_stale(state, record)
    if gathered or stale or call.phase.again(record.summary or {}):
        return not _is_built_on(state.records(), call.name)
    return False


def begin(state: State, call: Call) -> None:
    """Note that the phase was begun, unless an earlier start did."""
    if state.read(call.name) is None:
        state.begin(call.name, _record(call))


def finish(state: State, call: Call, summary: Mapping[str, Any]) -> None:
    state.finish(call.name, _record(call), summary)


def summary(state: State, call: Call) -> dict[str, Any]:
    """What the finished phase recorded of itself."""
    record = state.read(call.name)
    return {} if record is None else dict(record.summary or {})


def check_bound(state: State, name: str, settings: Mapping[str, Any]) -> None:
    """Raise RunFolderError where other settings were noted under the name."""
    record = state.read(name)
    if record is not None:
        _refuse(state, name, changes(record.settings, settings))


def note_bound(state: State, name: str, settings: Mapping[str, Any]) -> None:
    if state.read(name) is None:
        state.begin(name, Record("settings", {}, binding(dict(settings))))


def _record(call: Call) -> Record:
    return Record(call.phase.kind, _sources(call), binding(dict(call.settings)), call.overrides)


def _sources(call: Call) -> dict[str, str]:
    return {role: handle.source for role, handle in call.inputs.items()}


def _check_made(state: State, name: str, config: RunConfig, seen: Collection[str]) -> None:
    record = None if name in seen else state.read(name)
    if record is None:
        return
    phase = PHASES.get(record.kind)
    if phase is not None:
        found = changes(record.settings, sections_of(config, phase.sections))
        given = tuple(f"{key}{end}" for key in record.overrides for end in (":", ".", "["))
        _refuse(state, name, [change for change in found if not given or not change.startswith(given)])
    for source in record.inputs.values():
        _check_made(state, phase_of(source), config, {*seen, name})


def _refuse(state: State, name: str, found: list[str]) -> None:
    if found:
        folder = state.folder.removesuffix("/state")
        raise RunFolderError(
            f"{folder}: its phase {name!r} was made by another config ({'; '.join(found[:_SHOWN])}"
            f"{'; ...' if len(found) > _SHOWN else ''}); use another folder=..., or remove {state.path(name)} to make "
            "it again"
        )


def _is_stale(state: State, record: Record) -> bool:
    """Whether an input was finished anew since; what has no record cannot be told."""
    marks = {role: state.made_by(source) for role, source in record.inputs.items()}
    return any(mark and mark != record.made_of.get(role, "") for role, mark in marks.items())


def _is_built_on(records: Mapping[str, Record], name: str) -> bool:
    """Whether something was begun on what the phase made that would not simply be made again with it."""
    for other, record in records.items():
        if name not in {phase_of(source) for source in record.inputs.values()}:
            continue
        phase = PHASES.get(record.kind)
        if (phase is not None and not phase.follows) or _is_built_on(records, other):
            return True
    return False
