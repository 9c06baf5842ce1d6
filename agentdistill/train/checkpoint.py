"""Checkpoints of a training run: complete or not visible, written while training goes on.

A checkpoint is a folder `checkpoint-STEP` with what is trained and the optimizer's moments as whole float32 tensors.
It therefore depends neither on the number of ranks nor on the ZeRO stage: two ranks can go on as one. The folder is
written under a temporary name and renamed; `state.json`, written last, lists every file with its size.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from agentdistill.errors import CheckpointError
from agentdistill.train.backends.base import MOMENTS, Backend
from agentdistill.train.faults import explain_write

_NAME = re.compile(r"checkpoint-(\d{6,})$")
_PARTIAL = ".partial"
TENSORS = "trained.safetensors"
STATE = "state.json"


@dataclass
class TrainState:
    """Where a run is, beside its weights."""

    step: int = 0  # optimizer steps done; also the data position, as the plan of steps is fixed by the seed
    trained_tokens: int = 0
    tokens: int = 0
    seconds: float = 0.0  # spent in the loop, over all attempts
    last_loss: float | None = None
    held_out_loss: float | None = None
    best_held_out: float | None = None
    best_step: int | None = None
    evaluations_without_gain: int = 0
    fingerprint: str = ""
    files: dict[str, int] = field(default_factory=dict)  # name -> bytes


def find_checkpoints(folder: Path, warn: Callable[[str], None] | None = None) -> list[Path]:
    """Return the complete checkpoints, oldest first; name each torn one through `warn`."""
    complete = []
    for path in sorted(folder.iterdir() if folder.is_dir() else []):
        if path.name.endswith(_PARTIAL):
            _tell(warn, f"{path}: a checkpoint that was being written when the run stopped; ignored")
        elif _NAME.match(path.name):
            problem = _problem(path)
            if problem is None:
                complete.append(path)
            else:
                _tell(warn, f"{path}: torn checkpoint ({problem}); ignored")
    return sorted(complete, key=step_of)


def step_of(path: Path) -> int:
    """The optimizer step in a checkpoint's name."""
    found = _NAME.match(path.name)
    if found is None:
        raise CheckpointError(f"{path}: not the name of a checkpoint")
    return int(found.group(1))


def checkpoint_path(folder: Path, step: int) -> Path:
    """The checkpoint of an optimizer step."""
    return folder / f"checkpoint-{step:06d}"


def read_state(path: Path) -> TrainState:
    """Raises CheckpointError where the checkpoint is torn."""
    problem = _problem(path)
    if problem is not None:
        raise CheckpointError(f"{path}: torn checkpoint: {problem}")
    return TrainState(**json.loads((path / STATE).read_text()))


def _problem(path: Path) -> str | None:
    try:
        state = json.loads((path / STATE).read_text())
    except FileNotFoundError:
        return f"{STATE} is missing"
    except ValueError:
        return f"{STATE} is not complete"
    for name, size in state["files"].items():
        file = path / name
        if not file.exists():
            return f"{name} is missing"
        if file.stat().st_size != size:
            return f"{name} has {file.stat().st_size} bytes, expected {size}"
    return None


def snapshot(backend: Backend, keep: bool) -> dict[str, torch.Tensor]:
    """Copy what is trained and its moments to this process's memory; every rank calls it, those with `keep` get it."""
    tensors: dict[str, torch.Tensor] = {}
    for name, parameter in backend.student.trainable():
        whole: dict[str, torch.Tensor | None] = {"weight": backend.weight(parameter)}
        whole.update({moment: backend.moments(parameter, moment) for moment in MOMENTS})
        if not keep:
            continue
        for kind, tensor in whole.items():
            if tensor is not None:
                tensors[f"{kind}:{name}"] = tensor.detach().to("cpu", torch.float32, copy=True)
    return tensors


def restore(backend: Backend, path: Path, steps: int) -> None:
    """Set the backend's weights and moments to the checkpoint's. Raises CheckpointError where names do not fit."""
    from safetensors import safe_open

    with safe_open(path / TENSORS, framework="pt") as file:
        stored = set(file.keys())
        for name, parameter in backend.student.trainable():
            if f"weight:{name}" not in stored:
                raise CheckpointError(f"{path}: it has no weights for {name}; it belongs to another model or config")
            moments = {m: file.get_tensor(f"{m}:{name}") for m in MOMENTS if f"{m}:{name}" in stored}
            backend.restore(parameter, file.get_tensor(f"weight:{name}"), moments)
    backend.restore_steps(steps)


class CheckpointWriter:
    """Writes one checkpoint at a time in a thread; an error of the thread is raised at the next call."""

    def __init__(self, folder: Path, keep: int):
        self._folder, self._keep = folder, keep
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    def write(self, tensors: dict[str, torch.Tensor], state: TrainState) -> None:
        """Start writing; waits for the write before it. `tensors` must not change any more."""
        self.wait()
        stored = TrainState(**{**asdict(state), "files": {}})
        self._thread = threading.Thread(target=self._run, args=(tensors, stored), name="checkpoint", daemon=False)
        self._thread.start()

    def wait(self) -> None:
        """Wait for the write under way. Raises CheckpointError where it failed."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def _run(self, tensors: dict[str, torch.Tensor], state: TrainState) -> None:
        try:
            write_checkpoint(self._folder, tensors, state)
            self._prune(state)
        except BaseException as error:
            self._error = error

    def _prune(self, state: TrainState) -> None:
        """Keep the last `keep`, and the one with the best held-out loss."""
        for path in find_checkpoints(self._folder)[: -self._keep]:
            if step_of(path) != state.best_step:
                remove_folder(path)


def write_checkpoint(folder: Path, tensors: dict[str, torch.Tensor], state: TrainState) -> Path:
    """Write a checkpoint beside its place and rename it. Raises CheckpointError (a full disk among the reasons)."""
    from safetensors.torch import save_file

    target = checkpoint_path(folder, state.step)
    partial = folder / f".{target.name}{_PARTIAL}"
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        save_file(tensors, partial / TENSORS)
        state.files = {TENSORS: (partial / TENSORS).stat().st_size}
        (partial / STATE).write_text(json.dumps(asdict(state), indent=2) + "\n")
        _sync(partial)
        if target.exists():
            remove_folder(target)
        os.replace(partial, target)
    except Exception as error:  # safetensors raises its own type for a full disk
        shutil.rmtree(partial, ignore_errors=True)
        raise CheckpointError(explain_write(str(target), "checkpoint", error)) from error
    return target


def remove_folder(path: Path) -> None:
    """Remove a folder so that no moment shows half of it under its name."""
    doomed = path.with_name(f".{path.name}.removed{_PARTIAL}")
    shutil.rmtree(doomed, ignore_errors=True)
    os.replace(path, doomed)
    shutil.rmtree(doomed)


def remove_partial(folder: Path) -> None:
    """Remove what interrupted writers left."""
    for path in folder.iterdir() if folder.is_dir() else []:
        if path.name.endswith(_PARTIAL):
            shutil.rmtree(path, ignore_errors=True)


def _sync(folder: Path) -> None:
    """Flush every file of the folder to the disk, so that the rename does not overtake the contents."""
    for path in folder.iterdir():
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _tell(warn: Callable[[str], Any] | None, message: str) -> None:
    if warn is not None:
        warn(message)
