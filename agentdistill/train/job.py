"""Training as one call: check and render the examples, train (under Ray Train or here), save the student.

The same call goes on where an earlier one stopped, and does nothing where the student of the same inputs is there.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path

from agentdistill import models, storage
from agentdistill.config.settings import binding
from agentdistill.config.train import TrainConfig
from agentdistill.errors import ConfigError, RunFolderError
from agentdistill.train.data.examples import read_examples, read_numbers
from agentdistill.train.data.render import Renderer
from agentdistill.train.data.sequences import RenderCounts, render_all, write_sequences
from agentdistill.train.data.tokenizer import check_vocabulary, load_model_config, load_tokenizer, stop_token_ids
from agentdistill.train.follow import follow
from agentdistill.train.model import output
from agentdistill.train.objectives.make import make_objective
from agentdistill.train.spec import OnProgress, TrainSummary, WorkerJob


def train(
    config: TrainConfig, examples_path: str, folder: str, *, on_progress: OnProgress | None = None
) -> TrainSummary:
    """Train a student on the training set at `examples_path`; results go under `folder`.

    Returns the summary; `summary.student` is the folder that vLLM and transformers load. `on_progress` is called in
    this process for each logged step. Raises UserError for settings or data that cannot be used, TrainingError where
    training cannot go on, CheckpointError where a checkpoint or the student cannot be written.
    """
    if "://" in folder:
        raise ConfigError(f"folder = {folder}: training writes to a path that every node shares, expected no URL")
    if config.launcher == "ray" and "TORCHELASTIC_RUN_ID" in os.environ:
        raise ConfigError("train.launcher = ray under torchrun, which has started the workers itself; expected local")
    run = Path(folder)
    target = output.output_folder(run, config.lora.enabled)
    model = models.resolve(config.model)
    fingerprint = inputs_digest(config, model, examples_path)
    finished = _finished(target, fingerprint)
    if finished is not None:
        return finished
    job = prepare(config, model, examples_path, run, fingerprint)
    _claim(run, fingerprint)
    if config.launcher == "local":
        from agentdistill.train.worker import train_here

        train_here(job, on_progress)
    else:
        from agentdistill.train.launch.ray_train import fit

        with follow(run / "metrics.jsonl", on_progress):
            fit(job)
    summary = _finished(target, fingerprint)
    if summary is None:
        raise RunFolderError(f"{target}: training ended without a student there; is {folder} shared by all nodes?")
    resumed = int((output.read_record(target) or {}).get("resumed_from_step", 0))
    return replace(summary, reused=False, resumed_from_step=resumed)


def prepare(config: TrainConfig, model: str, examples_path: str, run: Path, fingerprint: str) -> WorkerJob:
    """Check the model and the objective, render every example, and write the sequences. Raises UserError."""
    tokenizer = load_tokenizer(model, config.revision)
    check_vocabulary(model, tokenizer, load_model_config(model, config.revision))
    renderer = Renderer(tokenizer, stop_token_ids(model, tokenizer, config.revision), config)
    columns = make_objective(config).columns
    numbers = read_numbers(examples_path, columns) if columns else {}
    table, counts = render_all(read_examples(examples_path), renderer, config, numbers)
    sequences = run / "sequences" / f"{fingerprint[:16]}.parquet"
    write_sequences(str(sequences), table)
    return WorkerJob(config, model, str(run), str(sequences), fingerprint, counts)


#: Settings that came after the first fingerprints: left out at their defaults, so that what was begun before goes on.
_LATER = frozenset({"objective", "objective_settings"})


def inputs_digest(config: TrainConfig, model: str, examples_path: str) -> str:
    """A hash of what decides the result (settings, model, training set), in hexadecimal digits."""
    settings, defaults = binding(config), binding(TrainConfig())
    settings = {name: value for name, value in settings.items() if name not in _LATER or value != defaults[name]}
    digest = hashlib.sha256(json.dumps([settings, model], sort_keys=True).encode())
    paths = [examples_path] if examples_path.endswith(".parquet") else storage.parquet_files(examples_path)
    for path in paths:
        if storage.exists(path):
            digest.update(storage.read_bytes(path))
    return digest.hexdigest()


def _claim(run: Path, fingerprint: str) -> None:
    """Refuse a folder whose checkpoints come from other inputs."""
    from agentdistill.train.checkpoint import find_checkpoints, read_state

    found = find_checkpoints(run / "checkpoints")
    if found and read_state(found[-1]).fingerprint != fingerprint:
        raise RunFolderError(
            f"{run / 'checkpoints'}: its checkpoints come from another config, model or training set; use another "
            "folder, or remove that one"
        )


def _finished(target: Path, fingerprint: str) -> TrainSummary | None:
    """The summary of the student that is already there for these inputs."""
    record = output.read_record(target)
    if record is None or record.get("fingerprint") != fingerprint:
        return None
    summary = dict(record["summary"])
    summary["counts"] = RenderCounts(**summary["counts"])
    return TrainSummary(**{**summary, "student": str(target), "reused": True})
