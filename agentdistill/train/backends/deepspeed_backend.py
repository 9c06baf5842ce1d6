"""The backend that runs DeepSpeed ZeRO. Imported, like DeepSpeed itself, only in processes that train."""

from __future__ import annotations

import os
import warnings
from typing import Any

import torch
from torch import nn

from agentdistill.config.train import TrainConfig
from agentdistill.errors import MissingPartError
from agentdistill.train.backends.base import MOMENTS, make_optimizer
from agentdistill.train.data.rows import Row
from agentdistill.train.model.student import Student
from agentdistill.train.world import World, ensure_process_group


class DeepSpeedBackend:
    """DeepSpeed ZeRO of the configured stage."""

    def __init__(self, config: TrainConfig, student: Student, world: World):
        deepspeed = _import_deepspeed(world)
        self.student, self._world, self._config = student, world, config
        ensure_process_group(world)
        self._inner = make_optimizer(config, student)
        self._engine, self._optimizer, _, _ = deepspeed.initialize(
            model=student,
            optimizer=self._inner,
            config=deepspeed_settings(config, world),
            dist_init_required=False,
        )
        self._make_states()

    def _make_states(self) -> None:
        """Make the optimizer's states before its first step.

        DeepSpeed links a parameter to its states after the first parameter group has stepped, when those of later
        groups do not exist yet; and a checkpoint is restored before any step.
        """
        for flat in self._flat_parameters():
            state = self._inner.state[flat]
            state["step"] = torch.tensor(0.0, device=flat.device)
            for name in MOMENTS:
                state[name] = torch.zeros_like(flat, dtype=torch.float32)
        if self._config.zero_stage in (1, 2):
            self._optimizer._lazy_init_hp_params_optimizer_state()

    def _flat_parameters(self) -> list[torch.Tensor]:
        """What the optimizer steps: partitions of flattened groups, or the parameters themselves."""
        if self._config.zero_stage == 3:
            return list(self._optimizer.fp32_partitioned_groups_flat)
        if self._config.zero_stage:
            return list(self._optimizer.single_partition_of_fp32_groups)
        return [parameter for _, parameter in self.student.trainable()]

    def loss(self, row: Row) -> torch.Tensor:
        result: torch.Tensor = self._engine(row)
        return result

    def backward(self, loss: torch.Tensor, last: bool) -> None:
        self._engine.set_gradient_accumulation_boundary(last)
        # DeepSpeed divides by the number of ranks; the sum over ranks is wanted.
        self._engine.backward(loss * self._world.size)

    def step(self, rate: float) -> float:
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        # At stage 0 DeepSpeed clips without telling the norm, which faults are found by.
        norm = self._clip() if not self._config.zero_stage else None
        self._engine.step()
        return float(self._engine.get_global_grad_norm() if norm is None else norm)

    def _clip(self) -> torch.Tensor:
        return nn.utils.clip_grad_norm_(
            [parameter for _, parameter in self.student.trainable()], self._config.max_grad_norm
        )

    def moments(self, parameter: nn.Parameter, name: str) -> torch.Tensor | None:
        from deepspeed.utils import safe_get_full_optimizer_state

        if not self._config.zero_stage:
            return self._inner.state[parameter][name]
        result: torch.Tensor | None = safe_get_full_optimizer_state(parameter, name)
        return result

    def weight(self, parameter: nn.Parameter) -> torch.Tensor:
        from deepspeed.utils import safe_get_full_fp32_param

        if not self._config.zero_stage:
            return parameter.detach()
        result: torch.Tensor = safe_get_full_fp32_param(parameter)
        return result

    def restore(self, parameter: nn.Parameter, weight: torch.Tensor, moments: dict[str, torch.Tensor]) -> None:
        if self._config.zero_stage == 3:
            self._restore_partition(parameter, weight, moments)
            return
        with torch.no_grad():
            parameter.copy_(weight)
        if not self._config.zero_stage:
            for name, value in moments.items():
                self._inner.state[parameter][name].copy_(value)
            return
        from deepspeed.utils import safe_set_full_fp32_param, safe_set_full_optimizer_state

        safe_set_full_fp32_param(parameter, weight.float())
        for name, value in moments.items():
            safe_set_full_optimizer_state(parameter, value.float(), name)

    def _restore_partition(self, parameter: Any, weight: torch.Tensor, moments: dict[str, torch.Tensor]) -> None:
        """Set this rank's part of a partitioned parameter: its master weight, its states, and what is gathered."""
        from deepspeed.runtime.zero.partition_parameters import ZeroParamStatus
        from deepspeed.utils import safe_set_local_fp32_param, safe_set_local_optimizer_state

        part = self._part(parameter, weight)
        safe_set_local_fp32_param(parameter, part)
        parameter.ds_tensor.data.copy_(part)
        if parameter.ds_status is ZeroParamStatus.AVAILABLE:
            parameter.data.copy_(weight)
        for name, value in moments.items():
            safe_set_local_optimizer_state(parameter, self._part(parameter, value), name)

    def _part(self, parameter: Any, whole: torch.Tensor) -> torch.Tensor:
        """This rank's slice of the flattened tensor, padded at the end as DeepSpeed pads it."""
        size = parameter.ds_tensor.numel()
        padded = torch.zeros(size * self._world.size, dtype=torch.float32)
        padded[: whole.numel()] = whole.flatten()
        return padded[size * self._world.rank : size * (self._world.rank + 1)]

    def restore_steps(self, steps: int) -> None:
        for flat in self._flat_parameters():
            self._inner.state[flat]["step"].fill_(float(steps))


def _import_deepspeed(world: World) -> Any:
    """Import DeepSpeed in the process that trains; it looks for its accelerator as it is imported."""
    if world.device.type == "cpu":
        os.environ.setdefault("DS_ACCELERATOR", "cpu")
    os.environ.setdefault("DS_BUILD_OPS", "0")
    os.environ.setdefault("LOCAL_RANK", "0")
    # DeepSpeed calls collectives by the names that torch is about to rename.
    warnings.filterwarnings("ignore", category=FutureWarning, module="torch.distributed")
    try:
        import deepspeed
        import deepspeed.ops
    except ImportError as error:
        raise MissingPartError(
            "train.zero_stage above 0 and train.offload need DeepSpeed, which is not installed; run "
            "`DS_BUILD_OPS=0 pip install deepspeed`, or set train.zero_stage=0 train.offload=false"
        ) from error
    # Otherwise DeepSpeed compiles its shared-memory collectives at the first start, which needs a compiler; gloo does.
    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    return deepspeed


def deepspeed_settings(config: TrainConfig, world: World) -> dict[str, Any]:
    """The DeepSpeed config: rows come one at a time, losses are scaled by us, so both of its counts are 1."""
    zero: dict[str, Any] = {
        "stage": config.zero_stage,
        "contiguous_gradients": True,
        "overlap_comm": world.device.type == "cuda",
        "reduce_bucket_size": 2**25,
    }
    if config.offload and config.zero_stage > 0:
        zero["offload_optimizer"] = {"device": "cpu", "pin_memory": world.device.type == "cuda"}
        if config.zero_stage == 3:
            zero["offload_param"] = {"device": "cpu", "pin_memory": world.device.type == "cuda"}
    return {
        "train_micro_batch_size_per_gpu": 1,
        "gradient_accumulation_steps": 1,
        "gradient_clipping": config.max_grad_norm if config.zero_stage else 0.0,
        "zero_optimization": zero,
        "zero_allow_untested_optimizer": True,
        "zero_force_ds_cpu_optimizer": False,
        "steps_per_print": 2**31,
        "wall_clock_breakdown": False,
    }
