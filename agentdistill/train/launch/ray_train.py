"""Training under Ray Train: the same worker on each of its processes."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from agentdistill.errors import AgentDistillError, TrainingError
from agentdistill.train.launch.capacity import check_capacity, resource_total
from agentdistill.train.spec import WorkerJob


def fit(job: WorkerJob) -> None:
    """Run the job on the Ray cluster that this process is connected to (one of its own where it is not).

    Raises ConfigError where the cluster cannot hold the workers, and the worker's own error where one failed for good.
    """
    import ray
    from ray.train import CheckpointConfig, FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer

    if not ray.is_initialized():
        ray.init(include_dashboard=False)
    config = job.config
    gpus = _gpus_per_worker(job)
    check_capacity(config, gpus)
    resources = {"CPU": config.cpus_per_worker}
    if gpus:
        resources["GPU"] = gpus
    elastic = config.min_workers is not None and config.min_workers < config.workers
    trainer = TorchTrainer(
        _train_loop,
        train_loop_config={"job": job},
        torch_config=TorchConfig(backend="nccl" if gpus else "gloo"),
        scaling_config=ScalingConfig(
            num_workers=(config.min_workers, config.workers) if elastic else config.workers,
            use_gpu=gpus > 0,
            resources_per_worker=resources,
        ),
        run_config=RunConfig(
            name="ray_train",
            storage_path=str(Path(job.folder).absolute()),
            failure_config=FailureConfig(max_failures=config.max_failures),
            checkpoint_config=CheckpointConfig(num_to_keep=1),
        ),
    )
    try:
        trainer.fit()
    except Exception as error:
        raise _worker_error(error) from error


def _train_loop(settings: dict[str, WorkerJob]) -> None:
    """Runs on every worker."""
    from agentdistill.train.data.stream import stream_rows
    from agentdistill.train.worker import run_worker
    from agentdistill.train.world import current_world

    job, world = settings["job"], current_world()
    rows = partial(_stream, stream_rows, job.sequences, world) if job.config.stream else None
    run_worker(job, world, rows=rows)


def _stream(source: Any, sequences: str, world: Any, plan: Any, first_step: int) -> Any:
    return source(sequences, plan, world, first_step)


def _gpus_per_worker(job: WorkerJob) -> float:
    if job.config.gpus_per_worker is not None:
        return job.config.gpus_per_worker
    return 1.0 if resource_total("GPU") else 0.0


def _worker_error(error: BaseException) -> BaseException:
    """The deliberate error of a worker where there is one among the causes."""
    seen: list[BaseException] = [error]
    failures = getattr(error, "worker_failures", None) or {}
    seen.extend(failures.values())
    for candidate in list(seen):
        inner: BaseException | None = candidate
        while inner is not None:
            if isinstance(inner, AgentDistillError):
                return inner
            inner = getattr(inner, "cause", None) or inner.__cause__
    reason = next((str(item).strip() for item in reversed(seen) if str(item).strip()), type(error).__name__)
    return TrainingError(f"training failed on the Ray cluster: {reason.splitlines()[-1]}")
