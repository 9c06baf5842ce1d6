"""What an objective is: from the last hidden states of a row's trained tokens to the loss that is minimised."""

from __future__ import annotations

from typing import Protocol

import torch

from agentdistill.train.data.rows import Row


class Head(Protocol):
    """The student's output layer, as an objective sees it."""

    @property
    def weight(self) -> torch.Tensor:
        """[vocabulary, hidden_size]"""
        ...

    @property
    def softcap(self) -> float | None:
        """Logits are softcap * tanh(logits / softcap); None: they are not capped."""
        ...

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """All logits at once, float32 [positions, vocabulary]."""
        ...


class Objective(Protocol):
    """What `train.objective` names.

    A class is called with `train.objective_settings` as keywords; anything else is taken as it is.
    """

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of numbers that a training set has to have; `row.columns` holds them."""
        ...

    def __call__(self, head: Head, hidden: torch.Tensor, row: Row) -> torch.Tensor:
        """Return the sum over the row's trained tokens of their losses times `row.weights`, a float32 scalar.

        `hidden` is [num_trained, hidden_size], num_trained at least 1: the state in front of each of `row.targets`.
        The sum has to be the same however tokens share rows; the trainer divides the sums of a step by its weights.
        """
        ...
