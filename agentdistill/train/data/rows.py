"""Sequences that share a row, as the tensors that the model and the objective take."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import torch

from agentdistill.train.data.render import Rendered


@dataclass(frozen=True, slots=True)
class Row:
    """Sequences that share one row."""

    token_ids: torch.Tensor  # [1, num_tokens]
    positions: torch.Tensor  # [1, num_tokens], from 0 in each sequence
    segment_lengths: tuple[int, ...]  # [num_sequences]
    trained: torch.Tensor  # [num_trained] places whose next token is trained
    targets: torch.Tensor  # [num_trained] those next tokens
    weights: torch.Tensor  # [num_trained] float32
    #: the objective's columns of the training set: name -> [num_trained] float32, the value of each token's example
    columns: dict[str, torch.Tensor] = field(default_factory=dict)

    @property
    def num_tokens(self) -> int:
        return int(self.token_ids.shape[1])

    def to(self, device: torch.device) -> Row:
        if device.type == "cpu":
            return self
        return Row(**{item.name: _moved(getattr(self, item.name), device) for item in fields(self)})


def _moved(value: Any, device: torch.device) -> Any:
    if isinstance(value, dict):
        return {name: _moved(item, device) for name, item in value.items()}
    return value.to(device, non_blocking=True) if isinstance(value, torch.Tensor) else value


def make_row(sequences: list[Rendered], filler: int = 0) -> Row:
    """Join sequences into a row. Without any, the row is one token that nothing is trained on."""
    token_ids: list[int] = []
    positions: list[int] = []
    trained: list[int] = []
    weights: list[float] = []
    columns: dict[str, list[float]] = {}
    for sequence in sequences:
        start = len(token_ids)
        token_ids.extend(sequence.token_ids)
        positions.extend(range(sequence.num_tokens))
        places = [place for place in range(1, sequence.num_tokens) if sequence.weights[place] > 0]
        trained.extend(start + place - 1 for place in places)
        weights.extend(sequence.weights[place] for place in places)
        for name, value in sequence.columns:
            columns.setdefault(name, []).extend([value] * len(places))
    lengths = tuple(sequence.num_tokens for sequence in sequences)
    if not token_ids:
        token_ids, positions, lengths = [filler], [0], (1,)
    ids = torch.tensor(token_ids)
    before = torch.tensor(trained, dtype=torch.long)
    return Row(
        ids[None],
        torch.tensor(positions)[None],
        lengths,
        before,
        ids[before + 1] if trained else before,
        torch.tensor(weights, dtype=torch.float32),
        {name: torch.tensor(values, dtype=torch.float32) for name, values in columns.items()},
    )
