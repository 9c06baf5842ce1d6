"""Loading the student: from a folder or a hub id to a module that is checked and ready to train."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from agentdistill.config.train import TrainConfig
from agentdistill.errors import ConfigError
from agentdistill.processor import cpu_has_bfloat16
from agentdistill.train.data.tokenizer import unknown_model
from agentdistill.train.model import attention
from agentdistill.train.model.agreement import check_agreement
from agentdistill.train.model.student import Student
from agentdistill.train.objectives.make import make_objective


def load_student(config: TrainConfig, folder: str, device: torch.device) -> Student:
    """Load the model at `folder`, add LoRA where asked for, and return it ready to train.

    Raises ConfigError where the model cannot be found or read, or is of a kind that its output layer alone does not
    explain, or where the objective cannot be made.
    """
    from transformers import AutoModelForCausalLM

    compute = compute_dtype(config.dtype, device)
    frozen = torch.bfloat16 if config.lora.enabled and compute is torch.bfloat16 and device.type == "cuda" else None
    try:
        model = AutoModelForCausalLM.from_pretrained(
            folder,
            revision=config.revision,
            dtype=frozen or torch.float32,
            attn_implementation=attention.register(),
        )
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(unknown_model(folder, error)) from error
    model.config.use_cache = False
    if device.type == "cuda":
        _use_liger(model)
    if config.gradient_checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    if config.lora.enabled:
        model = add_lora(model, config)
    student = Student(model, compute, make_objective(config))
    student.to(device)
    check_agreement(student, folder, config.packing)
    student.train()
    return student


def _use_liger(model: Any) -> None:
    """Liger's fused norms, rotary embeddings and MLPs where the package is there; the loss stays our own."""
    try:
        from liger_kernel.transformers import _apply_liger_kernel_to_instance
    except ImportError:
        return
    _apply_liger_kernel_to_instance(model, cross_entropy=False, fused_linear_cross_entropy=False)


def add_lora(model: Any, config: TrainConfig) -> Any:
    """Wrap the model with LoRA layers in float32; the rest is frozen.

    Raises ConfigError where a named layer is not in the model, or is its output layer, which the loss reads as it is.
    """
    from peft import LoraConfig, get_peft_model

    names, targets = linear_names(model), config.lora.target_modules
    if targets == ["all-linear"]:
        targets = names
    unknown = sorted(set(targets) - set(names))
    if unknown:
        raise ConfigError(
            f"train.lora.target_modules names {', '.join(unknown)}, expected all-linear or some of {', '.join(names)}"
        )
    wrapped = get_peft_model(
        model,
        LoraConfig(
            r=config.lora.r,
            lora_alpha=config.lora.alpha,
            lora_dropout=config.lora.dropout,
            target_modules=list(targets),
            task_type="CAUSAL_LM",
        ),
    )
    for parameter in wrapped.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    return wrapped


def linear_names(model: Any) -> list[str]:
    """The names of all linear layers but the output layer: what the paper adapts, in a form that engines read."""
    output = model.get_output_embeddings()
    return sorted(
        {
            name.rsplit(".", 1)[-1]
            for name, module in model.named_modules()
            if isinstance(module, nn.Linear) and module is not output
        }
    )


def compute_dtype(name: str, device: torch.device) -> torch.dtype | None:
    """The type of matrix products: bfloat16 where asked for, or where `auto` finds that the hardware has it.

    Weights, gradients and optimizer states stay float32 in either case.
    """
    if name == "float32":
        return None
    if name == "bfloat16":
        return torch.bfloat16
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else None
    return torch.bfloat16 if cpu_has_bfloat16() else None
