"""Cross-entropy over the vocabulary in chunks of positions, so that the logits of a long row never exist at once.

The gradient of each chunk is computed in the forward pass, right where its logits are, and the chunk is thrown away:
the same arithmetic as the plain loss, in the same number of matrix products (compare arXiv 2410.10989, section 3.2).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from agentdistill.train.data.rows import Row
from agentdistill.train.estimate import CHUNK_BYTES
from agentdistill.train.objectives.base import Head


class CrossEntropy:
    """The weighted sum of -log p(target), in nats."""

    columns: tuple[str, ...] = ()

    def __call__(self, head: Head, hidden: torch.Tensor, row: Row) -> torch.Tensor:
        return chunked_cross_entropy(hidden, head.weight, row.targets, row.weights, softcap=head.softcap)


class _ChunkedCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden: torch.Tensor,  # [positions, hidden_size]
        weight: torch.Tensor,  # [vocabulary, hidden_size]
        targets: torch.Tensor,  # [positions]
        token_weights: torch.Tensor,  # [positions]
        softcap: float | None,
        chunk: int,
    ) -> torch.Tensor:
        wants_hidden, wants_weight = ctx.needs_input_grad[0], ctx.needs_input_grad[1]
        matrix = weight.detach().to(hidden.dtype)
        grad_hidden = torch.empty_like(hidden) if wants_hidden else None
        grad_weight = torch.zeros(weight.shape, dtype=torch.float32, device=weight.device) if wants_weight else None
        total = torch.zeros((), dtype=torch.float32, device=hidden.device)
        for start in range(0, hidden.shape[0], chunk):
            part = slice(start, start + chunk)
            rows, target = hidden[part].detach(), targets[part, None]
            logits = (rows @ matrix.T).float()
            capped = None
            if softcap is not None:
                capped = logits.div_(softcap).tanh_()
                logits = capped * softcap
            largest = logits.max(dim=-1, keepdim=True).values
            at_target = logits.gather(1, target) - largest
            probabilities = logits.sub_(largest).exp_()
            normalizer = probabilities.sum(dim=-1, keepdim=True)
            scale = token_weights[part, None]
            total += ((normalizer.log() - at_target) * scale).sum()
            if grad_hidden is None and grad_weight is None:
                continue
            grad = probabilities.mul_(scale / normalizer)
            grad.scatter_add_(1, target, -scale.to(grad.dtype))
            if capped is not None:
                grad.mul_(1 - capped * capped)
            grad = grad.to(hidden.dtype)
            if grad_hidden is not None:
                grad_hidden[part] = grad @ matrix
            if grad_weight is not None:
                grad_weight += grad.T @ rows
        ctx.save_for_backward(grad_hidden, grad_weight)
        ctx.weight_dtype = weight.dtype
        return total

    @staticmethod
    def backward(ctx: Any, grad_output: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        grad_hidden, grad_weight = ctx.saved_tensors
        if grad_hidden is not None:
            grad_hidden = grad_hidden * grad_output.to(grad_hidden.dtype)
        if grad_weight is not None:
            grad_weight = grad_weight.mul_(grad_output).to(ctx.weight_dtype)
        return grad_hidden, grad_weight, None, None, None, None


def chunked_cross_entropy(
    hidden: torch.Tensor,
    weight: torch.Tensor,
    targets: torch.Tensor,
    token_weights: torch.Tensor,
    *,
    softcap: float | None = None,
    chunk: int | None = None,
) -> torch.Tensor:
    """Return the weighted sum of -log p(target) in nats, float32, differentiable in `hidden` and `weight`.

    `hidden` is [positions, hidden_size] at the trained positions alone; `chunk` is in positions.
    """
    chunk = chunk or max(1, CHUNK_BYTES // (4 * weight.shape[0]))
    device = hidden.device.type
    if torch.is_autocast_enabled(device):
        hidden = hidden.to(torch.get_autocast_dtype(device))
    with torch.autocast(device, enabled=False):
        result: torch.Tensor = _ChunkedCrossEntropy.apply(hidden, weight, targets, token_weights, softcap, chunk)
    return result


def plain_cross_entropy(
    hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor, token_weights: torch.Tensor
) -> torch.Tensor:
    """The same sum with all logits at once: what the chunked one is measured against."""
    losses = nn.functional.cross_entropy((hidden @ weight.T).float(), targets, reduction="none")
    return (losses * token_weights).sum()
