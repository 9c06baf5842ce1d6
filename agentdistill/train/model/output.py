"""The trained student as a Hugging Face folder: a LoRA adapter or full weights, written aside and renamed."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import torch

from agentdistill.errors import CheckpointError
from agentdistill.train.faults import explain_write
from agentdistill.train.model.student import Student

#: Beside the weights: which inputs the student was trained from, and what came out.
RECORD = "training.json"


def output_folder(folder: Path, lora: bool) -> Path:
    """`adapter/` for LoRA, `student/` for full weights."""
    return folder / ("adapter" if lora else "student")


def read_record(target: Path) -> dict[str, Any] | None:
    """The record beside a finished student; None where there is none."""
    try:
        record: dict[str, Any] = json.loads((target / RECORD).read_text())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise CheckpointError(f"{target / RECORD}: not valid JSON; remove {target} and train again") from error
    return record


def save_student(
    student: Student, weights: dict[str, torch.Tensor], tokenizer: Any, target: Path, record: dict[str, Any], card: str
) -> None:
    """Write the trained student to `target`, whole or not at all.

    `weights` holds everything trained as whole tensors by parameter name (gathered, where ZeRO-3 partitions). Raises
    CheckpointError where one is empty or missing, or the folder cannot be written.
    """
    check_whole(student, weights)
    partial = target.with_name(f".{target.name}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        if hasattr(student.model, "peft_config"):
            _save_adapter(student, weights, partial)
        else:
            _save_full(student, weights, partial)
        tokenizer.save_pretrained(partial)
        (partial / "README.md").write_text(card)
        (partial / RECORD).write_text(json.dumps(record, indent=2) + "\n")
        if target.exists():
            old = target.with_name(f".{target.name}.old")
            shutil.rmtree(old, ignore_errors=True)
            os.replace(target, old)
            shutil.rmtree(old)
        os.replace(partial, target)
    except CheckpointError:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    except Exception as error:  # safetensors raises its own type for a full disk
        shutil.rmtree(partial, ignore_errors=True)
        raise CheckpointError(explain_write(str(target), "student", error)) from error


def check_whole(student: Student, weights: dict[str, torch.Tensor]) -> None:
    """Raise CheckpointError where a trained weight is missing or empty: what ZeRO-3 leaves of a partitioned one."""
    for name, parameter in student.trainable():
        expected = tuple(getattr(parameter, "ds_shape", parameter.shape))
        if name not in weights:
            raise CheckpointError(f"the trained weight {name} is missing; the student was not saved")
        if tuple(weights[name].shape) != expected:
            raise CheckpointError(
                f"the trained weight {name} has shape {tuple(weights[name].shape)}, expected {expected}: it was not "
                "gathered from all ranks; the student was not saved"
            )


def _save_adapter(student: Student, weights: dict[str, torch.Tensor], folder: Path) -> None:
    from peft import get_peft_model_state_dict
    from safetensors.torch import save_file

    state = get_peft_model_state_dict(student.model, state_dict=weights)
    if not state:
        raise CheckpointError("the adapter holds no weights; it was not saved")
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, folder / "adapter_model.safetensors")
    settings = student.model.peft_config["default"]
    inference, settings.inference_mode = settings.inference_mode, True
    settings.save_pretrained(str(folder))
    settings.inference_mode = inference


def _save_full(student: Student, weights: dict[str, torch.Tensor], folder: Path) -> None:
    state = dict(weights)
    for name, buffer in student.model.named_buffers():
        state.setdefault(name, buffer)
    implementation = student.model.config._attn_implementation
    student.model.config._attn_implementation = "sdpa"
    student.model.config.use_cache = True
    persistent = set(student.model.state_dict())
    state = {name: tensor for name, tensor in state.items() if name in persistent}
    student.model.save_pretrained(str(folder), state_dict=state)
    student.model.config.use_cache = False
    student.model.config._attn_implementation = implementation
