"""An objective: what training minimises."""

import torch
from torch.nn import functional

from agentdistill.train.data.rows import Row
from agentdistill.train.objectives.base import Head


class Smoothed:
    """Cross-entropy with label smoothing; `train.objective_settings` are the class's own arguments."""

    columns: tuple[str, ...] = ()  # numbers of the training set that it needs, as `row.columns` has them

    def __init__(self, smoothing: float = 0.1) -> None:
        self.smoothing = smoothing

    def __call__(self, head: Head, hidden: torch.Tensor, row: Row) -> torch.Tensor:
        """The sum over the row's trained tokens of their losses times their weights."""
        losses = functional.cross_entropy(
            head.logits(hidden), row.targets, reduction="none", label_smoothing=self.smoothing
        )
        return (losses * row.weights).sum()
