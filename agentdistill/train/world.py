"""Which process of how many this is: alone, under torchrun, or a Ray Train worker. Loops see only this."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass

import torch
from torch import distributed


@dataclass(frozen=True, slots=True)
class World:
    rank: int
    size: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def sum(self, *values: float) -> list[float]:
        """The sum of each value over all ranks, in float64."""
        if self.size == 1:
            return list(values)
        tensor = torch.tensor(values, dtype=torch.float64, device=self.device)
        distributed.all_reduce(tensor)
        return [float(value) for value in tensor.tolist()]

    def largest(self, value: float) -> float:
        if self.size == 1:
            return value
        tensor = torch.tensor([value], dtype=torch.float64, device=self.device)
        distributed.all_reduce(tensor, op=distributed.ReduceOp.MAX)
        return float(tensor.item())

    def barrier(self) -> None:
        if self.size == 1:
            return
        if self.device.type == "cpu":
            # Gloo's own barrier is dropped by a thread of gloo's after this one went on. Where that is the end of the
            # process, the thread finds no interpreter to release a tensor with, and aborts: one run of 40 did. This one
            # waits in this thread, and names a rank that does not come.
            distributed.monitored_barrier()
        else:
            distributed.barrier()


def current_world() -> World:
    """Join the process group that the environment describes, or none; returns this process's place.

    Under Ray Train the group exists already. Under torchrun (RANK is set) it is made here: NCCL on GPUs, else gloo.
    """
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if torch.cuda.is_available() else None
    if device is not None:
        torch.cuda.set_device(device)
    if not distributed.is_initialized() and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        distributed.init_process_group("nccl" if device is not None else "gloo")
    if not distributed.is_initialized():
        return World(0, 1, device or torch.device("cpu"))
    return World(distributed.get_rank(), distributed.get_world_size(), device or torch.device("cpu"))


def ensure_process_group(world: World) -> None:
    """DeepSpeed needs a process group even for one process."""
    if distributed.is_initialized():
        return
    folder = tempfile.mkdtemp(prefix="agentdistill-group-")
    backend = "nccl" if world.device.type == "cuda" else "gloo"
    distributed.init_process_group(backend, init_method=f"file://{folder}/store", rank=0, world_size=1)


def leave() -> None:
    """End the process group where there is one."""
    if distributed.is_initialized():
        distributed.destroy_process_group()
