"""The records of a run folder: `state/NAME.json` says what a phase was made of and with, and what came of it."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

from agentdistill import storage
from agentdistill.errors import DataError, RunFolderError
from agentdistill.run.record import version_1 as records_v1

VERSION = 2


@dataclass(frozen=True, slots=True)
class Record:
    """One phase that was begun, and maybe finished."""

    kind: str
    inputs: dict[str, str]  # role -> the phase that made it, `.train` or `.test` behind questions
    settings: dict[str, Any]  # section -> its binding settings, as plain values
    overrides: tuple[str, ...] = ()  # keys that the call itself gave, the config's value notwithstanding
    summary: dict[str, Any] | None = None
    finished_at: str | None = None  # ISO 8601, UTC; None: begun
    made_by: str = ""  # changes each time the phase is finished anew
    made_of: dict[str, str] = field(default_factory=dict)  # role -> `made_by` of the input that it was made from

    @property
    def is_finished(self) -> bool:
        return self.finished_at is not None


@dataclass(frozen=True, slots=True)
class State:
    """The records below a folder; reads the file each time, as another verb may have written it."""

    folder: str

    def path(self, name: str) -> str:
        return storage.join(self.folder, f"{name}.json")

    def read(self, name: str) -> Record | None:
        """The record of a phase; None where it was never begun.

        Raises RunFolderError for one of a newer version, and for a file that holds no record.
        """
        try:
            content = storage.read_json(self.path(name))
        except FileNotFoundError:
            return None
        except DataError as error:
            raise RunFolderError(f"{error}; {self._remedy(name)}") from error
        version = content.get("version", 1) if isinstance(content, dict) else VERSION
        if version not in (1, VERSION):
            raise RunFolderError(
                f"{self.path(name)}: a record of version {version}, expected at most {VERSION}; go on with the "
                "agentdistill that made this run folder, or use another folder=..."
            )
        try:
            return Record(**records_v1.converted(name, content)) if version == 1 else _from_json(content)
        except (KeyError, TypeError, AttributeError) as error:
            raise RunFolderError(f"{self.path(name)}: holds no record of a phase; {self._remedy(name)}") from error

    def _remedy(self, name: str) -> str:
        return f"expected what agentdistill wrote there; remove it to make {name} again"

    def is_finished(self, name: str) -> bool:
        record = self.read(name)
        return record is not None and record.is_finished

    def begin(self, name: str, record: Record) -> None:
        """Note what the phase is made of and with, so that nothing else can finish it."""
        storage.write_json(self.path(name), {"version": VERSION, **dataclasses.asdict(record)})

    def finish(self, name: str, record: Record, summary: Mapping[str, Any]) -> None:
        """Note what came of it."""
        self.begin(
            name,
            dataclasses.replace(
                record,
                summary=dict(summary),
                finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
                made_by=uuid.uuid4().hex[:12],
                made_of={role: self.made_by(source) for role, source in record.inputs.items()},
            ),
        )

    def made_by(self, source: str) -> str:
        """When a phase was last finished, as a mark that differs each time; empty where it has no record."""
        record = self.read(phase_of(source))
        return "" if record is None else record.made_by

    def records(self) -> dict[str, Record]:
        """Every record by the name of its phase."""
        system, inner = storage.filesystem(self.folder)
        names = [PurePosixPath(name).name for name in system.ls(inner, detail=False)] if system.exists(inner) else []
        found = {name.removesuffix(".json"): None for name in sorted(names) if name.endswith(".json")}
        return {name: record for name in found if (record := self.read(name)) is not None}


def _from_json(content: dict[str, Any]) -> Record:
    """Raises TypeError and AttributeError where a field is missing, or is of another type."""
    known = {item.name for item in dataclasses.fields(Record)}
    values = {key: value for key, value in content.items() if key in known}
    record = Record(**{**values, "overrides": tuple(values.get("overrides", ()))})
    for name in ("inputs", "settings", "made_of"):
        getattr(record, name).items()
    return record


def phase_of(source: str) -> str:
    """The phase that an input's name leads to: `questions` for `questions.train`."""
    return source.partition(".")[0]
