"""The nouns of the project, as frozen dataclasses: what phases hand to each other and what tests build.

Nothing here imports a third-party package.
"""

from agentdistill.types.engines import Engine, EngineLoad, Generate, ScoringEngine
from agentdistill.types.environments import CodeError, CodeSession, Environment, Limit, Outcome
from agentdistill.types.messages import Completion, FinishReason, Message, Request, Role, Sampling
from agentdistill.types.parts import (
    BETWEEN_PARTS,
    Part,
    PartKind,
    action_of,
    check_parts,
    check_places,
    holds,
    outer_parts,
    text_of,
)
from agentdistill.types.questions import Kind, Question, kind_of
from agentdistill.types.tools import SEARCH_TOOL, Passage, Search, ToolText
from agentdistill.types.training import TrainingExample
from agentdistill.types.trajectories import (
    INVALID_ACTIONS,
    OBSERVATION_HEADER,
    ActionError,
    Candidate,
    Grade,
    Step,
    StopReason,
    Trajectory,
    counts_over,
    rows_that_count,
)

__all__ = [
    "BETWEEN_PARTS",
    "INVALID_ACTIONS",
    "OBSERVATION_HEADER",
    "SEARCH_TOOL",
    "ActionError",
    "Candidate",
    "CodeError",
    "CodeSession",
    "Completion",
    "Engine",
    "EngineLoad",
    "Environment",
    "FinishReason",
    "Generate",
    "Grade",
    "Kind",
    "Limit",
    "Message",
    "Outcome",
    "Part",
    "PartKind",
    "Passage",
    "Question",
    "Request",
    "Role",
    "Sampling",
    "ScoringEngine",
    "Search",
    "Step",
    "StopReason",
    "ToolText",
    "TrainingExample",
    "Trajectory",
    "action_of",
    "check_parts",
    "check_places",
    "counts_over",
    "holds",
    "kind_of",
    "outer_parts",
    "rows_that_count",
    "text_of",
]
