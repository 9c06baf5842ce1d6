"""adapter/ or student/: the student learns."""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path
from typing import Any

from agentdistill.console import StageProgress
from agentdistill.run.episodes import absolute
from agentdistill.run.handles import Student, TrainingSet
from agentdistill.run.phases.base import Ask, Call, Need, Phase
from agentdistill.run.planning.needs import CHECKPOINT_BYTES, GB, GIB, count_questions, known_shape
from agentdistill.runtime.connection import ray_cluster


def do(call: Call) -> dict[str, Any]:
    """Fine-tune the student on the training set."""
    from agentdistill.train.job import train

    config, examples, output = call.config, call.inputs["examples"], call.output
    assert isinstance(examples, TrainingSet)
    assert isinstance(output, Student)
    here = config.train.launcher == "local"
    with contextlib.nullcontext() if here else ray_cluster(config.cluster), StageProgress("steps") as progress:
        summary = train(
            config.train,
            absolute(examples.file),
            absolute(output.root),
            on_progress=lambda step: progress.update(
                step.step, step.num_steps, f"loss {step.loss:.3f}, {step.tokens_per_s:.0f} tokens/s"
            ),
        )
    return dataclasses.asdict(summary)


def brief(summary: dict[str, Any]) -> str:
    return f"{summary['steps']} steps, loss {summary['loss']:.4f}, student in {shown_path(summary['student'])}"


def shown_path(path: str) -> str:
    """The path as somebody who stands in the working directory would write it."""
    local = Path(path)
    return str(local.relative_to(Path.cwd())) if local.is_relative_to(Path.cwd()) else path


def ask(call: Call) -> Ask:
    train = call.config.train
    method = f"LoRA r={train.lora.r}" if train.lora.enabled else "full weights"
    gpus = train.gpus_per_worker if train.gpus_per_worker is not None else 1.0
    does = f"{train.model}, {method}, {train.epochs:g} epochs, ZeRO {train.zero_stage}"
    return Ask(call.name, does, f"{train.workers} workers", train.workers * train.cpus_per_worker, train.workers * gpus)


def need(call: Call) -> Need | None:
    from agentdistill.train.estimate import estimate

    config, train, shape = call.config, call.config.train, known_shape(call.config.train.model)
    questions = count_questions(config.questions.train)
    tokens = None if questions is None else int(questions * config.rollout.samples * train.max_length * train.epochs)
    if shape is None:
        return Need(call.name, tokens=tokens, why="every question kept at full length" if tokens else "")
    memory = estimate(train, shape)[train.zero_stage].total_gb * GIB / GB
    trained = shape.lora_parameters(train.lora.r) if train.lora.enabled else shape.parameters
    kept = train.checkpoint.keep + train.checkpoint.keep_best + 1  # one is being written
    disk = (kept * CHECKPOINT_BYTES * trained + 4 * trained + 2 * shape.parameters) / GB
    why = "one full row a worker; checkpoints, student and the model itself; every question kept at full length"
    return Need(call.name, memory, trained * CHECKPOINT_BYTES / GB, disk, tokens, why)


TRAIN = Phase("train", "Student training", ("train",), do, brief, ask, need)
