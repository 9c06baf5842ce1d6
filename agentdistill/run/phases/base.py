"""What a phase is: one arrow of the path that data takes, as the run carries it out, plans it, and speaks of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from agentdistill.config import RunConfig
from agentdistill.run.folder import RunFolder
from agentdistill.run.handles import Handle


@dataclass(frozen=True, slots=True)
class Ask:
    """What one phase does, and asks the cluster for at its largest."""

    phase: str
    does: str
    workers: str
    cpus: float
    gpus: float


@dataclass(frozen=True, slots=True)
class Need:
    """What one phase needs. None is unknown, or nothing. GB are 10**9 bytes."""

    phase: str
    gpu_gb: float | None = None  # on each GPU that it uses, at least
    memory_gb: float | None = None  # of one machine
    disk_gb: float | None = None  # what it leaves behind, models fetched from a hub included
    tokens: int | None = None  # written by models, or trained on, at most
    why: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """One phase to be done in this run: with which settings, from what, and where to."""

    phase: Phase
    name: str  # of the phase in this run: its kind, or KIND-NAME
    config: RunConfig  # with what the call itself overrides
    folder: RunFolder
    inputs: Mapping[str, Handle]  # by role
    output: Handle
    settings: Mapping[str, Any]  # what binds it: section -> a dataclass or a plain value
    overrides: tuple[str, ...] = ()  # keys of the settings that the call itself gave

    @property
    def suffix(self) -> str:
        """The NAME of KIND-NAME; empty for the default phase of the kind."""
        return self.name.removeprefix(self.phase.kind).removeprefix("-") if self.phase.sections else ""


def _nothing(call: Call) -> None:
    return None


def _unchecked(call: Call, coming: Collection[str]) -> None:
    return None


def _never(summary: Mapping[str, Any]) -> bool:
    return False


def _always(call: Call) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Phase:
    """One kind of phase."""

    kind: str
    title: str  # in front of its progress
    sections: tuple[str, ...]  # of the config, that bind it
    do: Callable[[Call], dict[str, Any]]  # the work; returns the summary
    brief: Callable[[dict[str, Any]], str]  # a summary in a few words
    ask: Callable[[Call], Ask]
    need: Callable[[Call], Need | None] = _nothing
    #: Raises before anything is begun, where it could not be done; gets the names of the phases that come before it.
    check: Callable[[Call, Collection[str]], None] = _unchecked
    again: Callable[[dict[str, Any]], bool] = _never  # whether a finished one still has failures to redo
    follows: bool = False  # made again when its input was
    gathers: bool = False  # made of whatever there is: other inputs make it again in place of being refused
    is_there: Callable[[Call], bool] = _always  # whether what a finished one made still lies where it belongs


@runtime_checkable
class OwnPhase(Protocol):
    """A phase that a user brings: `run.do(phase)` records it, skips it, refuses it and goes on with it like the others.

    `settings` (a dataclass or a dict of plain values, optional) bind it; `inputs` (handles by role, optional) are what
    it is made of; `makes` (a class of handles, optional) is what it returns, so that a verb can take it.
    """

    name: str

    def do(self, run: Any) -> dict[str, Any]:
        """The work; returns a summary of plain values."""
        ...


@dataclass(frozen=True, slots=True)
class FunctionPhase:
    """A phase made of a function (run) that returns a summary."""

    name: str
    function: Callable[[Any], dict[str, Any]]
    settings: Any = field(default_factory=dict)
    inputs: Mapping[str, Handle] = field(default_factory=dict)
    makes: type[Handle] = Handle

    def do(self, run: Any) -> dict[str, Any]:
        return self.function(run)
