"""What a training run is handed, and what it comes to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from agentdistill.config.train import TrainConfig
from agentdistill.train.data.sequences import RenderCounts
from agentdistill.train.metrics import StepMetrics

OnProgress = Callable[[StepMetrics], None]


@dataclass(frozen=True, slots=True)
class TrainSummary:
    """What a training run came to."""

    student: str  # the folder of the adapter or the full weights
    is_adapter: bool
    base_model: str  # folder or hub id
    steps: int
    epochs: float
    loss: float | None  # of the last step, nats per trained token
    held_out_loss: float | None
    best_held_out_loss: float | None
    trained_tokens: int
    tokens: int
    seconds: float  # in the loop, over all attempts
    counts: RenderCounts
    resumed_from_step: int = 0  # of this call; 0: from the start
    reused: bool = False  # the student was there already and nothing was done


@dataclass(frozen=True, slots=True)
class WorkerJob:
    """Everything that a worker needs, picklable."""

    config: TrainConfig
    model: str  # folder or hub id
    folder: str  # of the run
    sequences: str  # Parquet
    fingerprint: str
    counts: RenderCounts
