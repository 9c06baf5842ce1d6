"""The run folder: where each thing lies in it, and who may work in it."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from agentdistill import storage
from agentdistill.config import RunConfig, to_yaml
from agentdistill.errors import RunFolderError

_MIN_FREE_GB = 1.0

#: What the phases of this package write into, each also as STEM-NAME; and what else lies in a run folder.
RESERVED_STEMS = frozenset({"questions", "trajectories", "training_set", "select", "scores", "report"})
RESERVED = frozenset({"state", "logs", "students", "checkpoints", "adapter", "student", "verdicts", "index"})


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Paths of one run; `name` is that of a phase besides the default one, whose things lie beside the default's."""

    path: str

    @property
    def config(self) -> str:
        return storage.join(self.path, "config.yaml")

    @property
    def state(self) -> str:
        return storage.join(self.path, "state")

    def questions(self, name: str = "") -> str:
        return self._beside("questions", name)

    def trajectories(self, name: str = "") -> str:
        return self._beside("trajectories", name)

    def training_set(self, name: str = "") -> str:
        return self._beside("training_set", name)

    def funnel(self, name: str = "") -> str:
        return self._beside("select", name) + ".json"

    def student(self, name: str = "") -> str:
        """Where training keeps checkpoints, metrics and the student of that name."""
        return storage.join(self.path, "students", name) if name else self.path

    def scores(self, name: str = "") -> str:
        return self._beside("scores", name)

    def report(self, name: str = "") -> str:
        return self._beside("report", name)

    def _beside(self, kind: str, name: str) -> str:
        return storage.join(self.path, f"{kind}-{name}" if name else kind)

    @property
    def is_local(self) -> bool:
        return "://" not in self.path

    def log(self, command: str) -> Path | None:
        """The log file of a command that starts now; None on remote storage, where one cannot append."""
        if not self.is_local:
            return None
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        return Path(self.path) / "logs" / f"{stamp}-{command}.log"

    def prepare(self, config: RunConfig) -> None:
        """Create the folder and save the resolved config. Raises RunFolderError where it cannot be written."""
        storage.make_folder(self.path)
        if self.is_local:
            free_gb = shutil.disk_usage(self.path).free / 2**30
            if free_gb < _MIN_FREE_GB:
                raise RunFolderError(
                    f"{self.path}: {free_gb:.2f} GiB free on its disk, expected at least {_MIN_FREE_GB:g}; "
                    "free some, or choose another folder=..."
                )
        storage.write_text(self.config, to_yaml(config))

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for this process. Raises RunFolderError where another process holds it.

        On remote storage there is no lock to take: nothing stops two jobs that name the same URL.
        """
        if not self.is_local:
            yield
            return
        storage.make_folder(self.path)
        lock = FileLock(str(Path(self.path) / ".lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise RunFolderError(
                f"{self.path}: another agentdistill command works in this run folder; wait for it, or use folder=..."
            ) from None
        except OSError as error:
            raise RunFolderError(f"{self.path}: cannot be locked: {error.strerror}") from error
        try:
            yield
        finally:
            lock.release()
