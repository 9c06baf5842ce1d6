"""The student as one module from a packed row to its summed loss."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from agentdistill.config.train import TrainConfig
from agentdistill.errors import ConfigError
from agentdistill.processor import cpu_has_bfloat16
from agentdistill.train import attention
from agentdistill.train.loss import chunked_cross_entropy
from agentdistill.train.render import Rendered
from agentdistill.train.tokenizer import unknown_model


@dataclass(frozen=True, slots=True)
class Row:
    """Sequences that share one row."""

    token_ids: torch.Tensor  # [1, num_tokens]
    positions: torch.Tensor  # [1, num_tokens], from 0 in each sequence
    segment_lengths: tuple[int, ...]  # [num_sequences]
    trained: torch.Tensor  # [num_trained] places whose next token is trained
    targets: torch.Tensor  # [num_trained] those next tokens
    weights: torch.Tensor  # [num_trained] float32

    @property
    def num_tokens(self) -> int:
        return int(self.token_ids.shape[1])

    def to(self, device: torch.device) -> Row:
        if device.type == "cpu":
            return self
        moved = {name: getattr(self, name).to(device, non_blocking=True) for name in _TENSORS}
        return Row(segment_lengths=self.segment_lengths, **moved)


_TENSORS = ("token_ids", "positions", "trained", "targets", "weights")


def make_row(sequences: list[Rendered], filler: int = 0) -> Row:
    """Join sequences into a row. Without any, the row is one token that nothing is trained on."""
    token_ids: list[int] = []
    positions: list[int] = []
    trained: list[int] = []
    weights: list[float] = []
    for sequence in sequences:
        start = len(token_ids)
        token_ids.extend(sequence.token_ids)
        positions.extend(range(sequence.num_tokens))
        for place in range(1, sequence.num_tokens):
            if sequence.weights[place] > 0:
                trained.append(start + place - 1)
                weights.append(sequence.weights[place])
    lengths = tuple(sequence.num_tokens for sequence in sequences)
    if not token_ids:
        token_ids, positions, lengths = [filler], [0], (1,)
    ids = torch.tensor(token_ids)
    places = torch.tensor(trained, dtype=torch.long)
    return Row(
        ids[None],
        torch.tensor(positions)[None],
        lengths,
        places,
        ids[places + 1] if trained else places,
        torch.tensor(weights, dtype=torch.float32),
    )


class LossHead(nn.Module):
    """The output layer and the loss in one module, so that ZeRO-3 gathers its weight for exactly this call."""

    def __init__(self, output_layer: nn.Module, softcap: float | None):
        super().__init__()
        self.weight: nn.Parameter = output_layer.weight  # type: ignore[assignment]
        self.softcap = softcap

    def forward(self, hidden: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        return chunked_cross_entropy(hidden, self.weight, targets, weights, softcap=self.softcap)

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """The logits that the loss sees, float32 [positions, vocabulary]; for a few positions only."""
        logits = (hidden @ self.weight.T.to(hidden.dtype)).float()
        return logits if self.softcap is None else torch.tanh(logits / self.softcap) * self.softcap


class Student(nn.Module):
    """A causal language model whose forward pass returns the summed, weighted loss of a row."""

    def __init__(self, model: Any, compute_dtype: torch.dtype | None):
        super().__init__()
        self.model = model  # a transformers model, or a peft model around one
        causal = model.get_base_model() if hasattr(model, "peft_config") else model
        config = causal.config.get_text_config()
        self.head = LossHead(causal.get_output_embeddings(), getattr(config, "final_logit_softcapping", None))
        self.compute_dtype = compute_dtype  # of matrix products; None: that of the weights

    @property
    def causal(self) -> Any:
        return self.model.get_base_model() if hasattr(self.model, "peft_config") else self.model

    def forward(self, row: Row) -> torch.Tensor:
        device = row.token_ids.device.type
        with torch.autocast(device, dtype=self.compute_dtype, enabled=self.compute_dtype is not None):
            hidden = self.hidden(row.token_ids, row.positions, row.segment_lengths)
            loss: torch.Tensor = self.head(hidden[row.trained], row.targets, row.weights)
        # A row without trained tokens still has to take part in the backward pass of every rank.
        return loss + hidden.sum().float() * 0.0 if not len(row.targets) else loss

    def hidden(self, token_ids: torch.Tensor, positions: torch.Tensor, lengths: tuple[int, ...]) -> torch.Tensor:
        """The last hidden states of a row of examples of these lengths, [num_tokens, hidden_size]."""
        output = self.causal.base_model(
            input_ids=token_ids, position_ids=positions, use_cache=False, segment_lengths=lengths
        )
        states: torch.Tensor = output.last_hidden_state[0]
        return states

    def trainable(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Name and parameter of everything that is trained, each once."""
        for name, parameter in self.model.named_parameters():
            if parameter.requires_grad:
                yield name, parameter


def load_student(config: TrainConfig, folder: str, device: torch.device) -> Student:
    """Load the model at `folder`, add LoRA where asked for, and return it ready to train.

    Raises ConfigError where the model cannot be found or read, or is of a kind that this loss does not fit.
    """
    from transformers import AutoModelForCausalLM

    from agentdistill.train.agreement import check_agreement

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
    student = Student(model, compute)
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
