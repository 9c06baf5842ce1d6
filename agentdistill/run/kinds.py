"""The kinds of phases that come with this package, and where each leaves what it makes."""

from __future__ import annotations

import re
from collections.abc import Mapping

from agentdistill import storage
from agentdistill.config import RunConfig
from agentdistill.errors import ConfigError
from agentdistill.run.folder import RunFolder
from agentdistill.run.handles import Handle, Index, Page, Questions, Scores, Student, TrainingSet, Trajectories
from agentdistill.run.phases.base import Phase
from agentdistill.run.phases.evaluate import EVALUATE
from agentdistill.run.phases.index import INDEX
from agentdistill.run.phases.questions import QUESTIONS
from agentdistill.run.phases.report import REPORT
from agentdistill.run.phases.rollout import ROLLOUT
from agentdistill.run.phases.score import SCORE
from agentdistill.run.phases.select import SELECT
from agentdistill.run.phases.train import TRAIN

PHASES: dict[str, Phase] = {
    phase.kind: phase for phase in (QUESTIONS, INDEX, ROLLOUT, SCORE, SELECT, TRAIN, EVALUATE, REPORT)
}

#: The section whose settings a verb takes by name, where it is not named like the kind.
OWN_SECTION = {"index": "retriever", "score": "grading"}
#: Sections that a verb takes as a whole besides.
WHOLE_SECTIONS = {"rollout": ("teacher",)}

#: What verbs are made of, by role.
_ROLES: dict[str, type[Handle]] = {
    "questions": Questions,
    "index": Index,
    "trajectories": Trajectories,
    "examples": TrainingSet,
    "student": Student,
}

_NAME = re.compile(r"[A-Za-z0-9][\w-]*")


def full_name(kind: str, name: str) -> str:
    """The phase's name in its run: the kind, or KIND-NAME. Raises ConfigError where the name cannot name a folder."""
    if not name or name == kind:
        return kind
    return f"{kind}-{checked_name(name)}"


def checked_name(name: str) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigError(f"name={name!r}: expected letters, digits, - and _, as it names a folder")
    return name


def check_inputs(kind: str, inputs: Mapping[str, Handle]) -> None:
    """Raise ConfigError where a verb got another thing than it is made of, or questions without their part."""
    for role, handle in inputs.items():
        expected = _ROLES.get(role, Handle)
        if not isinstance(handle, expected):
            found = getattr(handle, "name", None) or repr(handle)
            raise ConfigError(
                f"run.{kind}: its {role} is {found!s:.60}, a {type(handle).__name__}, expected {expected.__name__}"
            )
        if isinstance(handle, Questions) and not handle.part:
            raise ConfigError(f"run.{kind}: its {role} is all of {handle.name}, expected its part .train or .test")


def output_of(
    kind: str, name: str, config: RunConfig, folder: RunFolder, inputs: Mapping[str, Handle] | None = None
) -> Handle:
    """The handle of what the phase of that full name makes."""
    short = name.removeprefix(kind).removeprefix("-")
    match kind:
        case "questions":
            return Questions(name, folder.questions(short), folder, config.questions)
        case "index":
            beside = f"-{short}" if short else ""
            return Index(name, f"{config.retriever.folder.rstrip('/')}{beside}", folder)
        case "rollout":
            return Trajectories(name, folder.trajectories(short), folder)
        case "score":
            graded = (inputs or {}).get("trajectories")
            return Trajectories(name, graded.path if graded else folder.trajectories(short), folder)
        case "select":
            return TrainingSet(name, folder.training_set(short), folder)
        case "train":
            root = folder.student(short)
            return Student(
                name, storage.join(root, "adapter" if config.train.lora.enabled else "student"), folder, root
            )
        case "evaluate":
            return Scores(name, folder.scores(short), folder)
        case _:
            return Page(name, folder.report(short), folder)
