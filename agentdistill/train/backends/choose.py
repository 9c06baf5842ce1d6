"""Which backend a config asks for."""

from __future__ import annotations

from agentdistill.config.train import TrainConfig
from agentdistill.train.backends.base import Backend, uses_deepspeed
from agentdistill.train.backends.torch_backend import TorchBackend
from agentdistill.train.model.student import Student
from agentdistill.train.world import World


def make_backend(config: TrainConfig, student: Student, world: World) -> Backend:
    """The backend that the config asks for. Raises MissingPartError where DeepSpeed is needed and not installed."""
    if uses_deepspeed(config):
        from agentdistill.train.backends.deepspeed_backend import DeepSpeedBackend

        return DeepSpeedBackend(config, student, world)
    return TorchBackend(config, student, world)
