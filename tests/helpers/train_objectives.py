"""Objectives of somebody's own, as `train.objective=train_objectives:NAME` finds them, and things that are none."""

from __future__ import annotations

import torch
from torch.nn import functional


class LabelSmoothing:
    """Part of each token's probability mass is spread over the whole vocabulary."""

    columns: tuple[str, ...] = ()

    def __init__(self, smoothing: float = 0.1):
        self._smoothing = smoothing

    def __call__(self, head, hidden, row):
        losses = functional.cross_entropy(
            head.logits(hidden), row.targets, reduction="none", label_smoothing=self._smoothing
        )
        return (losses * row.weights).sum()


class Advantage:
    """Each example's losses times its advantage."""

    columns = ("advantage",)

    def __call__(self, head, hidden, row):
        losses = functional.cross_entropy(head.logits(hidden), row.targets, reduction="none")
        return (losses * row.weights * row.columns["advantage"]).sum()


class NeedsTokens:
    """Refuses a row without a trained token, as a mean over tokens would."""

    columns = ()

    def __call__(self, head, hidden, row):
        assert len(row.targets) > 0
        return torch.zeros((), requires_grad=True)


def smooth(head, hidden, row):
    """An objective that is no class."""
    return LabelSmoothing(0.5)(head, hidden, row)


smooth.columns = ()


def without_columns(head, hidden, row):
    return hidden.sum()


class OneName(LabelSmoothing):
    columns = "advantage"


class TwoArguments:
    columns = ()

    def __call__(self, hidden, row):
        return hidden.sum()


class NoCall:
    columns = ()
