"""The learning rate of each optimizer step."""

from __future__ import annotations

import math


def learning_rate(step: int, num_steps: int, peak: float, warmup_ratio: float, schedule: str) -> float:
    """Return the rate of optimizer step `step` (from 0): linear warm-up to `peak`, then the schedule down to 0.

    The first step already moves: warm-up step k of w has rate peak * (k + 1) / w.
    """
    warmup = math.ceil(num_steps * warmup_ratio)
    if step < warmup:
        return peak * (step + 1) / warmup
    if schedule == "constant":
        return peak
    progress = (step - warmup) / max(1, num_steps - warmup)
    if schedule == "linear":
        return peak * (1 - progress)
    return peak * 0.5 * (1 + math.cos(math.pi * progress))
