"""Who multiplies, reduces and updates: DeepSpeed ZeRO, or plain torch where nothing is partitioned.

Both see the same gradients: every rank adds up the gradients of its rows' summed losses, already divided by the whole
step's trained weight, and the ranks' gradients are added, not averaged.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import distributed, nn

from agentdistill.config.train import TrainConfig
from agentdistill.train.student import Row, Student
from agentdistill.train.world import World

#: The optimizer states of one parameter that a checkpoint holds.
MOMENTS = ("exp_avg", "exp_avg_sq")


class Engine(Protocol):
    """What the loop needs of an engine."""

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


def make_engine(config: TrainConfig, student: Student, world: World) -> Engine:
    """The engine that the config asks for. Raises MissingPartError where DeepSpeed is needed and not installed."""
    if uses_deepspeed(config):
        from agentdistill.train.deepspeed_engine import DeepSpeedEngine

        return DeepSpeedEngine(config, student, world)
    return TorchEngine(config, student, world)


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


class TorchEngine:
    """ZeRO stage 0 without DeepSpeed: every rank holds everything."""

    def __init__(self, config: TrainConfig, student: Student, world: World):
        self.student, self._world, self._max_norm = student, world, config.max_grad_norm
        self._parameters = [parameter for _, parameter in student.trainable()]
        self._optimizer = make_optimizer(config, student)

    def loss(self, row: Row) -> torch.Tensor:
        result: torch.Tensor = self.student(row)
        return result

    def backward(self, loss: torch.Tensor, last: bool) -> None:
        loss.backward()

    def step(self, rate: float) -> float:
        if self._world.size > 1:
            self._reduce()
        norm = nn.utils.clip_grad_norm_(self._parameters, self._max_norm)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        if torch.isfinite(norm):
            self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        return float(norm)

    def _reduce(self) -> None:
        """Add the gradients of all ranks, in few large messages."""
        bucket: list[torch.Tensor] = []
        size = 0
        for parameter in self._parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            bucket.append(parameter.grad)
            size += parameter.grad.numel()
            if size >= 2**24:
                _reduce_bucket(bucket)
                bucket, size = [], 0
        _reduce_bucket(bucket)

    def moments(self, parameter: nn.Parameter, name: str) -> torch.Tensor | None:
        state = self._optimizer.state.get(parameter)
        return state[name] if state else None

    def weight(self, parameter: nn.Parameter) -> torch.Tensor:
        return parameter.detach()

    def restore(self, parameter: nn.Parameter, weight: torch.Tensor, moments: dict[str, torch.Tensor]) -> None:
        with torch.no_grad():
            parameter.copy_(weight)
        state = {name: value.to(parameter.device, torch.float32).clone() for name, value in moments.items()}
        self._optimizer.state[parameter] = state

    def restore_steps(self, steps: int) -> None:
        for parameter in self._parameters:
            self._optimizer.state[parameter]["step"] = torch.tensor(float(steps), device=parameter.device)


def _reduce_bucket(bucket: list[torch.Tensor]) -> None:
    if not bucket:
        return
    flat = torch.cat([tensor.reshape(-1) for tensor in bucket])
    distributed.all_reduce(flat)
    for tensor, part in zip(bucket, flat.split([tensor.numel() for tensor in bucket]), strict=True):
        tensor.copy_(part.view_as(tensor))
