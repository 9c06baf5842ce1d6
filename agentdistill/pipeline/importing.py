"""`agentdistill import`: published trajectories into a run folder."""

from __future__ import annotations

from typing import Literal, cast

from agentdistill.config import RunConfig
from agentdistill.console import StageProgress
from agentdistill.errors import ConfigError
from agentdistill.pipeline.folder import RunFolder
from agentdistill.traces.importing import ImportSummary, import_trajectories
from agentdistill.types import Kind


def import_into(config: RunConfig, source: str, form: str, task: str | None, kind: str | None) -> ImportSummary:
    """Import into the run folder's `trajectories/`, under its lock. Raises ConfigError, DataError, RunFolderError."""
    for name, value, known in (("--form", form, ("auto", "smolagents", "chat")), ("--kind", kind, tuple(Kind))):
        if value is not None and value not in known:
            raise ConfigError(f"{name} is {value}, expected one of {', '.join(known)}")
    folder = RunFolder(config.folder)
    with folder.locked():
        folder.prepare(config)
        with StageProgress("rows") as progress:
            return import_trajectories(
                source,
                folder.trajectories,
                form=cast(Literal["auto", "smolagents", "chat"], form),
                task=task,
                kind=None if kind is None else Kind(kind),
                on_progress=lambda read, imported: progress.update(read, None, f"{imported} imported"),
            )
