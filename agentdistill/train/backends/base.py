"""What the training loop needs of whoever multiplies, reduces and updates, and what all of them share.

All see the same gradients: every rank adds up the gradients of its rows' summed losses, already divided by the whole
step's trained weight, and the ranks' gradients are added, not averaged.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import nn

from agentdistill.config.train import TrainConfig
from agentdistill.train.data.rows import Row
from agentdistill.train.model.student import Student

#: The optimizer states of one parameter that a checkpoint holds.
MOMENTS = ("exp_avg", "exp_avg_sq")


class Backend(Protocol):
    """What the loop needs of a backend."""

    student: Student

    def loss(self, row: Row) -> torch.Tensor:
        """The row's summed loss, with a graph."""
        ...

    def backward(self, loss: torch.Tensor, last: bool) -> None:
        """Add the gradients of `loss`; `last` for the last row of the step."""
        ...

    def step(self, rate: float) -> float:
        """Reduce, clip and update with learning rate `rate`; returns the gradient norm before clipping."""
        ...

    def moments(self, parameter: nn.Parameter, name: str) -> torch.Tensor | None:
        """The whole optimizer state `name` of a parameter, on every rank; None before the first step."""
        ...

    def weight(self, parameter: nn.Parameter) -> torch.Tensor:
        """The whole float32 weight of a parameter, on every rank."""
        ...

    def restore(self, parameter: nn.Parameter, weight: torch.Tensor, moments: dict[str, torch.Tensor]) -> None:
        """Set a parameter's weight and optimizer states."""
        ...

    def restore_steps(self, steps: int) -> None:
        """Tell the optimizer how many updates it has made."""
        ...


def uses_deepspeed(config: TrainConfig) -> bool:
    """Whether DeepSpeed runs the step: always where it partitions or offloads, else as `train.backend` says."""
    if config.backend == "auto":
        return config.zero_stage > 0 or config.offload
    return config.backend == "deepspeed"


def make_optimizer(config: TrainConfig, student: Student) -> torch.optim.AdamW:
    """AdamW over the trained parameters; weight decay on matrices alone."""
    matrices = [parameter for _, parameter in student.trainable() if parameter.ndim > 1]
    vectors = [parameter for _, parameter in student.trainable() if parameter.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": config.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=config.learning_rate, fused=True)
