"""What tests of whole training runs share: the run that all others are compared with, and processes to end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from train_parts import examples, tiny_student, write_examples

from agentdistill.config.train import CheckpointConfig, TrainConfig
from agentdistill.train.job import train
from agentdistill.train.metrics import read_metrics

HELPERS = Path(__file__).resolve().parent
#: Of the runs that are ended: six steps, a checkpoint after every second one.
CHECKPOINTS = CheckpointConfig(every_steps=2, every_minutes=None)


def twelve_examples(folder: Path) -> str:
    return write_examples(folder, examples(12))


def curve(folder: Path) -> list[float]:
    """The losses of a run, step by step."""
    return [metrics.loss for metrics in read_metrics(folder / "metrics.jsonl")]


def slow_settings() -> dict[str, Any]:
    """For `tiny_config`: twelve steps of a model slow enough that something can be ended meanwhile."""
    return {"model": tiny_student(hidden=256, layers=4), "epochs": 4, "learning_rate": 1e-3}


def run_alone(config: TrainConfig, path: str, folder: Path) -> list[float]:
    """The losses of an uninterrupted run in this process."""
    train(config, path, str(folder))
    return curve(folder)


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{HELPERS}:{HELPERS.parents[1]}", "OMP_NUM_THREADS": "1"}


def worker_arguments(path: str, folder: Path, **settings: Any) -> list[str]:
    """The arguments of `train_worker.py`."""
    return [str(HELPERS / "train_worker.py"), json.dumps(worker_settings(**settings)), path, str(folder)]


def worker_settings(**settings: Any) -> dict[str, Any]:
    """The settings of `train_worker.py`; see there for `kill`."""
    return {"model": tiny_student(), "epochs": 2, **settings}


def run_python(*arguments: str, timeout: float = 1_000) -> subprocess.CompletedProcess[str]:
    """A Python of its own that finds this package and these modules."""
    return subprocess.run(
        [sys.executable, *arguments],
        env=environment(), capture_output=True, text=True, check=False, timeout=timeout,
    )  # fmt: skip


def torchrun(ranks: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={ranks}"]
    return run_python(*launcher, *arguments)
