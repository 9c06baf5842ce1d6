"""What verbs take and return: names of things in a run folder, made or to be made. No data is held."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal, Self

from agentdistill import storage
from agentdistill.config import QuestionsConfig, TaskConfig
from agentdistill.errors import RunFolderError
from agentdistill.run.folder import RunFolder
from agentdistill.run.record.state import State


@dataclass(frozen=True, slots=True)
class Handle:
    """What a phase makes."""

    name: str  # of the phase that makes it
    path: str  # a folder or a file, or an fsspec URL
    folder: RunFolder = field(repr=False)
    word: ClassVar[str] = "Output"  # in front of the path, where a command says what it made

    @property
    def source(self) -> str:
        """How a record names it as an input."""
        return self.name

    @property
    def place(self) -> str:
        """What there is to open."""
        return self.path

    @property
    def summary(self) -> dict[str, Any]:
        """What the phase recorded about itself; empty where it is not finished, as in a plan."""
        record = State(self.folder.state).read(self.name)
        return dict(record.summary or {}) if record is not None and record.is_finished else {}

    @property
    def is_done(self) -> bool:
        """Whether the phase is finished; or has no record, and what it would make was brought here by other means."""
        record = State(self.folder.state).read(self.name)
        return self._was_brought() if record is None else record.is_finished

    def require(self) -> Self:
        """Itself. Raises RunFolderError where the phase is not done."""
        if not self.is_done:
            raise RunFolderError(
                f"{self.folder.path}: its phase {self.name!r} is not done, and what comes next needs what it makes in "
                f"{self.path}; expected it to be finished first"
            )
        return self

    def _was_brought(self) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class Questions(Handle):
    """The questions to learn from and those held out; `train` or `test` of it is one of the two."""

    config: QuestionsConfig = field(default_factory=QuestionsConfig, repr=False)
    part: Literal["", "train", "test"] = ""
    word: ClassVar[str] = "Questions"

    @property
    def train(self) -> Questions:
        return replace(self, part="train")

    @property
    def test(self) -> Questions:
        return replace(self, part="test")

    @property
    def source(self) -> str:
        return f"{self.name}.{self.part}" if self.part else self.name

    @property
    def tasks(self) -> list[TaskConfig]:
        """Where the questions of this part come from."""
        parts = {"train": self.config.train, "test": self.config.test}
        return parts[self.part] if self.part else [*self.config.train, *self.config.test]

    @property
    def file(self) -> str:
        """The Parquet file of the part."""
        return storage.join(self.path, f"{self.part or 'train'}.parquet")

    def _was_brought(self) -> bool:
        return storage.exists(self.file)


@dataclass(frozen=True, slots=True)
class Index(Handle):
    """What search() finds."""

    word: ClassVar[str] = "Index"

    def _was_brought(self) -> bool:
        return storage.exists(storage.join(self.path, "manifest.json"))


@dataclass(frozen=True, slots=True)
class Trajectories(Handle):
    """Episodes: a folder of Parquet files."""

    word: ClassVar[str] = "Trajectories"

    def _was_brought(self) -> bool:
        return bool(storage.parquet_files(self.path))


@dataclass(frozen=True, slots=True)
class TrainingSet(Handle):
    """What is fit to learn from."""

    word: ClassVar[str] = "Training set"

    @property
    def file(self) -> str:
        return storage.join(self.path, "examples.parquet")

    def _was_brought(self) -> bool:
        return storage.exists(self.file)


@dataclass(frozen=True, slots=True)
class Student(Handle):
    """What training left: an adapter, or full weights."""

    root: str = ""  # where its checkpoints and metrics lie
    word: ClassVar[str] = "Student"

    @property
    def place(self) -> str:
        return str(self.summary.get("student", self.path))


@dataclass(frozen=True, slots=True)
class Scores(Handle):
    """The benchmark grid's trajectories and figures."""

    word: ClassVar[str] = "Scores"


@dataclass(frozen=True, slots=True)
class Page(Handle):
    """The report."""

    word: ClassVar[str] = "Report"

    @property
    def place(self) -> str:
        return str(self.summary.get("page", self.path))
