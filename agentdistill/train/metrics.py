"""Where a run's figures go: `metrics.jsonl` always, TensorBoard, and Weights & Biases or MLflow where configured."""

from __future__ import annotations

import contextlib
import hashlib
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from agentdistill.config.train import TrainConfig
from agentdistill.errors import CheckpointError, MissingPartError
from agentdistill.train.faults import explain_write


@dataclass(frozen=True, slots=True)
class StepMetrics:
    """One optimizer step, over all ranks."""

    step: int  # from 1
    num_steps: int
    epoch: float
    loss: float  # nats per trained token (weighted mean)
    learning_rate: float
    grad_norm: float  # before clipping
    tokens: int  # in this step
    trained_tokens: int
    tokens_per_s: float
    trained_tokens_per_s: float
    padding_share: float  # of the computed positions, those that hold no token
    idle_share: float  # of the ranks' token slots, those that wait for the fullest rank
    memory_mb: float  # peak so far, of the fullest rank: of the GPU where there is one, else of the process
    seconds: float  # of this step
    elapsed_s: float  # in the loop, over all attempts
    held_out_loss: float | None = None  # where this step evaluated


class Sink(Protocol):
    """Something that takes metrics."""

    def write(self, metrics: StepMetrics) -> None: ...
    def close(self) -> None: ...


class JsonLines:
    """One JSON object a line; a step that is done again after a resume replaces the lines from it on."""

    def __init__(self, path: Path, resume_step: int):
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = [line for line in _lines(path) if json.loads(line).get("step", 0) <= resume_step]
        path.write_text("".join(f"{line}\n" for line in kept))
        self._file = path.open("a", buffering=1)

    def write(self, metrics: StepMetrics) -> None:
        """Raises CheckpointError where the line cannot be written (a full disk among the reasons)."""
        try:
            self._file.write(json.dumps(asdict(metrics)) + "\n")
        except OSError as error:
            raise CheckpointError(explain_write(str(self._path), "metrics", error)) from error

    def close(self) -> None:
        with contextlib.suppress(OSError):  # the line that `write` has already reported
            self._file.close()


def _lines(path: Path) -> list[str]:
    """The complete lines of the file: a kill may have torn the last one."""
    if not path.exists():
        return []
    text = path.read_text()
    return [line for line in text[: text.rfind("\n") + 1].splitlines() if line]


def read_metrics(path: Path) -> list[StepMetrics]:
    """The steps in a `metrics.jsonl`, oldest first."""
    return [StepMetrics(**json.loads(line)) for line in _lines(path)]


class TensorBoard:
    def __init__(self, folder: Path, resume_step: int):
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder), purge_step=resume_step + 1)

    def write(self, metrics: StepMetrics) -> None:
        for name, value in _scalars(metrics).items():
            self._writer.add_scalar(f"train/{name}", value, metrics.step)

    def close(self) -> None:
        self._writer.close()


class WeightsAndBiases:
    """A run of its own for each run folder; a resumed one goes on in it."""

    def __init__(self, config: TrainConfig, folder: Path, name: str):
        try:
            import wandb
        except ImportError as error:
            raise MissingPartError("train.tracker = wandb needs the package wandb; run `pip install wandb`") from error
        self._run = wandb.init(
            project=config.tracker_project,
            name=name,
            dir=str(folder),
            id=tracker_id(folder, name),
            resume="allow",
            config=asdict(config),
        )

    def write(self, metrics: StepMetrics) -> None:
        self._run.log(_scalars(metrics), step=metrics.step)

    def close(self) -> None:
        self._run.finish()


class MLflow:
    """A run of its own for each run folder; a resumed one goes on in it."""

    def __init__(self, config: TrainConfig, folder: Path, name: str):
        try:
            import mlflow
        except ImportError as error:
            raise MissingPartError(
                "train.tracker = mlflow needs the package mlflow; run `pip install mlflow`"
            ) from error
        self._mlflow = mlflow
        mlflow.set_experiment(config.tracker_project)
        key = tracker_id(folder, name)
        found = mlflow.search_runs(filter_string=f"tags.run_folder = '{key}'", output_format="list", max_results=1)
        if found:
            mlflow.start_run(run_id=found[0].info.run_id)
        else:
            mlflow.start_run(run_name=name, tags={"run_folder": key})
            mlflow.log_dict(asdict(config), "train.json")

    def write(self, metrics: StepMetrics) -> None:
        self._mlflow.log_metrics(_scalars(metrics), step=metrics.step)

    def close(self) -> None:
        self._mlflow.end_run()


def tracker_id(folder: Path, name: str) -> str:
    """What tells this run folder from another of the same name."""
    return f"{name}-{hashlib.sha256(str(folder.absolute()).encode()).hexdigest()[:12]}"


def _scalars(metrics: StepMetrics) -> dict[str, float]:
    values = {name: value for name, value in asdict(metrics).items() if name not in ("step", "num_steps")}
    return {name: float(value) for name, value in values.items() if value is not None}


def open_sinks(config: TrainConfig, folder: Path, name: str, resume_step: int) -> list[Sink]:
    """Every sink that the config asks for; `metrics.jsonl` is always the first."""
    sinks: list[Sink] = [JsonLines(folder / "metrics.jsonl", resume_step)]
    if config.tensorboard:
        sinks.append(TensorBoard(folder / "tensorboard", resume_step))
    if config.tracker == "wandb":
        sinks.append(WeightsAndBiases(config, folder, name))
    if config.tracker == "mlflow":
        sinks.append(MLflow(config, folder, name))
    return sinks


def peak_memory_mb(device: Any) -> float:
    """The peak so far: of the GPU's allocator, else of this process."""
    if device.type == "cuda":
        import torch

        return float(torch.cuda.max_memory_allocated(device)) / 2**20
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
