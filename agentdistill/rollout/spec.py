"""What a rollout is: who answers which questions how often, and where the trajectories go."""

from __future__ import annotations

from dataclasses import dataclass, field

from agentdistill.agent import EpisodeSettings
from agentdistill.config import EngineConfig, GradingConfig, RetrieverConfig, RolloutConfig, SandboxConfig
from agentdistill.types import Question


@dataclass(frozen=True, slots=True)
class RolloutSpec:
    """Everything a rollout needs; it pickles, and travels to every actor."""

    folder: str  # trajectories go here
    engine: EngineConfig
    settings: EpisodeSettings  # of sample 0; sample i has seed + i
    rollout: RolloutConfig
    sandbox: SandboxConfig
    sandbox_app: str | None = None  # the Serve application of the sandbox; None: one inside each actor
    retriever_app: str | None = None  # the Serve application of the retriever; None: no search tool
    retriever: RetrieverConfig = field(default_factory=RetrieverConfig)  # how it is asked
    tools: tuple[str, ...] = ("search",)  # what code may call, where the sandbox is inside each actor
    grading: GradingConfig = field(default_factory=GradingConfig)


@dataclass(frozen=True, slots=True)
class WorkItem:
    """One episode to run."""

    question: Question
    sample_index: int
    spec_index: int = 0  # which of the rollouts that share the engine


@dataclass(frozen=True, slots=True)
class RolloutProgress:
    """Where a rollout stands."""

    total: int
    finished: int  # episodes that ended for a reason of their own, earlier runs included
    failed: int  # episodes that the system failed
    correct: int  # of those finished in this run
    completion_tokens: int  # in this run
    engine_deaths: int = 0


@dataclass(frozen=True, slots=True)
class RolloutSummary:
    """How a rollout ended; `finished + failed == total` always holds."""

    folder: str
    total: int
    finished: int
    failed: int
    reused: int  # of `finished`, how many were there before
    duration_s: float
    torn_files: tuple[str, ...] = ()
