"""What training assumes of a model, checked on a dozen tokens before the first step.

The loss is computed from the model's last hidden states, so its output layer must do no more than multiply them (and
cap the result); and rows are packed, so no layer may look from one example into another. A model of another kind would
train on a wrong loss without any sign of it.
"""

from __future__ import annotations

from typing import Any

import torch

from agentdistill.errors import ConfigError
from agentdistill.train.model.student import Student

#: Largest error, relative to the norm of what is compared: rounding is far below, a missing factor or a leak far above.
TOLERANCE = {torch.float32: 5e-5, torch.bfloat16: 5e-2, torch.float16: 1e-2}
#: Tokens of the two examples in the row that is tried.
LENGTHS = (7, 5)


def check_agreement(student: Student, name: str, packing: bool) -> None:
    """Raise ConfigError where the model's logits are not those that the loss sees, or its examples leak.

    `name` is the model's, for the message; without `packing` rows hold one example each, and leaks cannot happen.
    """
    parameter = next(student.model.parameters())
    tolerance = TOLERANCE.get(parameter.dtype, TOLERANCE[torch.bfloat16])
    was_training = student.training
    student.eval()
    try:
        with torch.no_grad():
            _check_logits(student, name, tolerance, parameter.device)
            if packing:
                _check_isolation(student, name, tolerance, parameter.device)
    finally:
        student.train(was_training)


def _check_logits(student: Student, name: str, tolerance: float, device: torch.device) -> None:
    ids, positions = _tokens(student, LENGTHS[:1], device)
    expected = student.causal(input_ids=ids, position_ids=positions, use_cache=False).logits[0].float()
    found = student.head.logits(student.hidden(ids, positions, LENGTHS[:1]))
    if not _apart(found, expected) <= tolerance:
        raise ConfigError(
            f"train.model = {name}: its logits are not its output layer times its last hidden state (they are scaled, "
            "shifted or mixed after that), expected a model whose loss can be computed from the two alone"
        )


def _check_isolation(student: Student, name: str, tolerance: float, device: torch.device) -> None:
    packed = student.hidden(*_tokens(student, LENGTHS, device), LENGTHS)[LENGTHS[0] :]
    ids, positions = _tokens(student, LENGTHS, device)
    alone = student.hidden(ids[:, LENGTHS[0] :], positions[:, LENGTHS[0] :], LENGTHS[1:])
    if not _apart(packed, alone) <= tolerance:
        raise ConfigError(
            f"train.model = {name}: its layers look from one example of a packed row into another (convolutions, "
            "recurrence, or an attention of its own); set train.packing=false"
        )


def _tokens(student: Student, lengths: tuple[int, ...], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and positions, [1, sum of lengths] each."""
    rows = int(student.head.weight.shape[0])
    ids = torch.arange(sum(lengths), device=device) * 7 % rows
    positions = torch.cat([torch.arange(length, device=device) for length in lengths])
    return ids[None], positions[None]


def _apart(found: Any, expected: Any) -> float:
    found, expected = found.float(), expected.float()
    return float((found - expected).norm() / expected.norm().clamp_min(1e-12))
