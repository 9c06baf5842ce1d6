"""What each training process does, whoever started it: load, resume, train, save."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from agentdistill.train.metrics import StepMetrics
from agentdistill.train.model.card import model_card
from agentdistill.train.spec import OnProgress, TrainSummary, WorkerJob


def train_here(job: WorkerJob, on_progress: OnProgress | None = None) -> None:
    """Train in this process: alone, or as one of those that torchrun started."""
    from torch import distributed

    from agentdistill.train.world import current_world, leave

    alone = int(os.environ.get("WORLD_SIZE", "1")) == 1
    ours = not distributed.is_initialized()  # else whoever made the group still needs it
    try:
        run_worker(job, current_world(), on_progress)
    except BaseException:
        if alone and ours:
            leave()
        raise  # a rank among others goes at once: the launcher ends them, who may wait for it in a collective
    if ours:
        leave()


def run_worker(
    job: WorkerJob,
    world: Any,
    report: Callable[[StepMetrics], None] | None = None,
    rows: Callable[[Any, int], Iterable[Any]] | None = None,
) -> None:
    """Train this rank's share and, on the first rank, save the student. `rows(plan, first_step)` streams the data."""
    import torch

    from agentdistill.train.host_memory import keep_freed_memory
    from agentdistill.train.loop import Loop, LoopFolders, whole_weights
    from agentdistill.train.model.load import load_student

    config, folder = job.config, Path(job.folder)
    quiet_libraries()
    if world.device.type == "cpu":
        keep_freed_memory()
        torch.set_num_threads(config.threads_per_worker or max(1, int(config.cpus_per_worker)))
    torch.manual_seed(config.seed)
    sequences, plan = load_plan(job)
    student = load_student(config, job.model, world.device)
    folders = LoopFolders(folder / "checkpoints", folder, folder.name)
    loop = Loop(config, student, sequences, plan, world, folders, job.fingerprint, report)
    resumed = loop.resume(_warn)
    state = loop.run(rows(plan, resumed) if rows is not None else None)
    weights = whole_weights(loop.backend, keep=world.is_first)
    if world.is_first:
        _save(job, student, weights, state, plan.steps_per_epoch, resumed)
    world.barrier()


def load_plan(job: WorkerJob) -> tuple[Any, Any]:
    """The rendered sequences and the plan of steps: the same in every process."""
    from agentdistill.train.data.pack import plan_steps
    from agentdistill.train.data.sequences import SequenceSet

    sequences = SequenceSet(job.sequences)
    plan = plan_steps(sequences.groups(sequences.training), sequences.lengths, job.config)
    return sequences, plan


def _save(
    job: WorkerJob, student: Any, weights: dict[str, Any], state: Any, steps_per_epoch: int, resumed: int
) -> None:
    from agentdistill.train.data.tokenizer import load_tokenizer
    from agentdistill.train.model.output import output_folder, save_student

    config = job.config
    target = output_folder(Path(job.folder), config.lora.enabled)
    summary = TrainSummary(
        student=str(target),
        is_adapter=config.lora.enabled,
        base_model=job.model,
        steps=state.step,
        epochs=state.step / steps_per_epoch,
        loss=state.last_loss,
        held_out_loss=state.held_out_loss,
        best_held_out_loss=state.best_held_out,
        trained_tokens=state.trained_tokens,
        tokens=state.tokens,
        seconds=state.seconds,
        counts=job.counts,
    )
    scores = {name: getattr(summary, name) for name in ("steps", "epochs", "loss", "held_out_loss", "trained_tokens")}
    record = {"fingerprint": job.fingerprint, "resumed_from_step": resumed, "summary": _plain(summary)}
    card = model_card(config, config.model, job.counts, scores)
    save_student(student, weights, load_tokenizer(job.model, config.revision), target, record, card)


def _plain(summary: TrainSummary) -> dict[str, Any]:
    return asdict(summary)


def quiet_libraries() -> None:
    """No progress bars of theirs beside ours."""
    from transformers.utils import logging

    logging.disable_progress_bar()


def _warn(message: str) -> None:
    print(f"agentdistill: {message}", file=sys.stderr, flush=True)
