"""The nouns of the project, as frozen dataclasses: what phases hand to each other and what tests build.

Nothing here imports a third-party package.
"""

from agentdistill.types.engines import Generate
from agentdistill.types.environments import CodeError, CodeSession, Environment, Limit, Outcome
from agentdistill.types.messages import Completion, FinishReason, Message, Request, Role, Sampling
from agentdistill.types.parts import BETWEEN_PARTS, Part, PartKind, action_of, text_of
from agentdistill.types.questions import Kind, Question
from agentdistill.types.tools import SEARCH, Passage, Search, ToolText
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
)

__all__ = [
    "BETWEEN_PARTS",
    "INVALID_ACTIONS",
    "OBSERVATION_HEADER",
    "SEARCH",
    "ActionError",
    "Candidate",
    "CodeError",
    "CodeSession",
    "Completion",
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
    "Search",
    "Step",
    "StopReason",
    "ToolText",
    "TrainingExample",
    "Trajectory",
    "action_of",
    "text_of",
]
