"""`torchrun -m agentdistill train`: the first rank is the command, the others only train beside it."""

from __future__ import annotations

import os

from agentdistill import storage
from agentdistill.config import RunConfig
from agentdistill.console import quiet_logs
from agentdistill.pipeline.folder import RunFolder


def is_later_rank() -> bool:
    """Whether torchrun started this process as another than the first."""
    return "TORCHELASTIC_RUN_ID" in os.environ and int(os.environ.get("RANK", "0")) > 0


def train_beside(config: RunConfig, verbose: bool) -> None:
    """Train this rank's share; the first rank holds the folder's lock, shows progress and records the stage."""
    from agentdistill.train.job import train

    folder = RunFolder(config.folder)
    with quiet_logs(folder.log(f"train-rank{os.environ['RANK']}"), verbose):
        train(config.train, storage.join(folder.training_set, "examples.parquet"), folder.path)
