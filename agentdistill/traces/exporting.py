"""Trajectories of ours in a form that others read: JSON Lines, a row each."""

from __future__ import annotations

import json
from collections.abc import Iterator

from agentdistill import plugins, storage
from agentdistill.errors import ConfigError, DataError
from agentdistill.schema import TRAJECTORIES, trajectory_from_row
from agentdistill.traces.formats.base import WritableFormat


def export_trajectories(folder: str, target: str, form: str = "chat") -> int:
    """Write the trajectories of `folder` into the file `target`, whole or not at all; return how many.

    `form` is a form's name, as in `agentdistill import`. Episodes that the system failed are left out. Raises
    ConfigError where the form is unknown or cannot be written, DataError where there is nothing to write,
    RunFolderError where the file cannot be written.
    """
    writable: WritableFormat = plugins.load("format", form)
    if not hasattr(writable, "write"):
        raise ConfigError(f"form {form!r}: can be read only, expected one with write(trajectory), such as chat")
    lines = _Lines(folder, writable, form)
    storage.write_chunks(target, lines)
    return lines.count


class _Lines:
    """The lines of the file, counted as they are made."""

    def __init__(self, folder: str, form: WritableFormat, name: str) -> None:
        self._folder, self._form, self._name = folder, form, name
        self.count = 0

    def __iter__(self) -> Iterator[bytes]:
        for row in storage.iterate_rows(self._folder, TRAJECTORIES):
            trajectory = trajectory_from_row(row)
            if trajectory.stop_reason.is_system:
                continue
            try:
                line = json.dumps(self._form.write(trajectory), ensure_ascii=False)
            except Exception as error:  # a form of somebody else's may raise anything
                which = "/".join(map(str, trajectory.key))
                raise DataError(
                    f"form {self._name!r}: raised {type(error).__name__} on trajectory {which}: {error}"
                ) from error
            self.count += 1
            yield line.encode("utf-8", "replace") + b"\n"
        if not self.count:
            raise DataError(f"{self._folder}: there is no trajectory to export, expected at least one that ended")
