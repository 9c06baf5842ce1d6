"""The student as one module from a packed row to its summed loss, by whatever objective."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from agentdistill.train.data.rows import Row
from agentdistill.train.objectives.base import Objective


class LossHead(nn.Module):
    """The output layer and the objective in one module, so that ZeRO-3 gathers its weight for exactly this call."""

    def __init__(self, output_layer: nn.Module, softcap: float | None, objective: Objective):
        super().__init__()
        self.weight: nn.Parameter = output_layer.weight  # type: ignore[assignment]
        self.softcap = softcap
        self.objective = objective

    def forward(self, hidden: torch.Tensor, row: Row) -> torch.Tensor:
        """The row's summed loss; `hidden` is [num_trained, hidden_size]."""
        if not len(row.targets):
            # The weight's gradient is reduced over all ranks, so one without trained tokens has to have one too.
            return self.weight.sum().float() * 0.0
        return self.objective(self, hidden, row)

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """The logits that the loss sees, float32 [positions, vocabulary]; for a few positions only."""
        logits = (hidden @ self.weight.T.to(hidden.dtype)).float()
        return logits if self.softcap is None else torch.tanh(logits / self.softcap) * self.softcap


class Student(nn.Module):
    """A causal language model whose forward pass returns the summed, weighted loss of a row."""

    def __init__(self, model: Any, compute_dtype: torch.dtype | None, objective: Objective):
        super().__init__()
        self.model = model  # a transformers model, or a peft model around one
        causal = model.get_base_model() if hasattr(model, "peft_config") else model
        config = causal.config.get_text_config()
        softcap = getattr(config, "final_logit_softcapping", None)
        self.head = LossHead(causal.get_output_embeddings(), softcap, objective)
        self.compute_dtype = compute_dtype  # of matrix products; None: that of the weights

    @property
    def causal(self) -> Any:
        return self.model.get_base_model() if hasattr(self.model, "peft_config") else self.model

    def forward(self, row: Row) -> torch.Tensor:
        device = row.token_ids.device.type
        with torch.autocast(device, dtype=self.compute_dtype, enabled=self.compute_dtype is not None):
            hidden = self.hidden(row.token_ids, row.positions, row.segment_lengths)
            loss: torch.Tensor = self.head(hidden[row.trained], row)
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
