"""The student as one module from a packed row to its summed loss."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from agentdistill.train.data.render import Rendered
from agentdistill.train.objectives.cross_entropy import chunked_cross_entropy


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
