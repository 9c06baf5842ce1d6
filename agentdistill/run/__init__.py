"""The facade: `Run` and its verbs, the handles that they take and return, and `job` for a file that spells them."""

from agentdistill.run.handles import (
    Handle,
    Index,
    Page,
    Questions,
    Scores,
    Student,
    TrainingSet,
    Trajectories,
)
from agentdistill.run.job import job
from agentdistill.run.phases.base import FunctionPhase, OwnPhase
from agentdistill.run.run import Run

__all__ = [
    "FunctionPhase",
    "Handle",
    "Index",
    "OwnPhase",
    "Page",
    "Questions",
    "Run",
    "Scores",
    "Student",
    "TrainingSet",
    "Trajectories",
    "job",
]
