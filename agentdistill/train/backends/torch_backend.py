"""The backend that is plain torch, where nothing is partitioned."""

from __future__ import annotations

import torch
from torch import distributed, nn

from agentdistill.config.train import TrainConfig
from agentdistill.train.backends.base import make_optimizer
from agentdistill.train.data.rows import Row
from agentdistill.train.model.student import Student
from agentdistill.train.world import World


class TorchBackend:
    """ZeRO stage 0 without DeepSpeed: every rank holds everything."""

    def __init__(self, config: TrainConfig, student: Student, world: World):
        self.student, self._world, self._config = student, world, config
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
        norm = nn.utils.clip_grad_norm_(self._parameters, self._config.max_grad_norm)
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
