"""Causal attention in bfloat16 for processors that multiply bfloat16 matrices in hardware.

PyTorch's fused CPU kernel computes its blocks at a fraction of the matrix units' speed. Here queries go in chunks, so
that only about half of the masked square is computed, and every product is one batched matrix product over the
key/value heads (the query heads of a group are stacked as rows). The probabilities are kept for the backward pass.
"""

from __future__ import annotations

from typing import Any

import torch

#: Queries a chunk: large enough for full matrix products, small enough to skip most of the upper triangle.
CHUNK = 128


class _CausalAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float) -> torch.Tensor:
        _, heads, tokens, size = query.shape
        groups = key.shape[1]
        k, v = key[0].contiguous(), value[0].contiguous()  # [groups, tokens, size]
        q = (query[0] * scale).view(groups, heads // groups, tokens, size)
        output = torch.empty(groups, heads // groups, tokens, size, dtype=query.dtype)
        kept = []
        for start in range(0, tokens, CHUNK):
            end = min(start + CHUNK, tokens)
            rows = q[:, :, start:end].reshape(groups, -1, size)
            scores = torch.bmm(rows, k[:, :end].transpose(1, 2)).view(groups, -1, end - start, end)
            scores[..., start:end].masked_fill_(_upper(end - start), float("-inf"))
            chances = torch.softmax(scores, dim=-1).view(groups, -1, end)
            output[:, :, start:end] = torch.bmm(chances, v[:, :end]).view(groups, -1, end - start, size)
            kept.append(chances)
        ctx.save_for_backward(q, k, v, output, *kept)
        ctx.scale = scale
        return output.view(1, heads, tokens, size)

    @staticmethod
    def backward(ctx: Any, grad_output: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        q, k, v, output, *kept = ctx.saved_tensors
        groups, share, tokens, size = q.shape
        grad = grad_output[0].reshape(groups, share, tokens, size)
        inner = (grad.float() * output.float()).sum(-1, keepdim=True).to(grad.dtype)
        grad_q = torch.empty_like(grad)
        grad_k = torch.zeros(k.shape, dtype=torch.float32)
        grad_v = torch.zeros(v.shape, dtype=torch.float32)
        for number, chances in enumerate(kept):
            start = number * CHUNK
            end = min(start + CHUNK, tokens)
            rows = grad[:, :, start:end].reshape(groups, -1, size)
            grad_v[:, :end] += torch.bmm(chances.transpose(1, 2), rows)
            grad_scores = torch.bmm(rows, v[:, :end].transpose(1, 2))
            grad_scores.sub_(inner[:, :, start:end].reshape(groups, -1, 1)).mul_(chances)
            grad_q[:, :, start:end] = torch.bmm(grad_scores, k[:, :end]).view(groups, share, end - start, size)
            grad_k[:, :end] += torch.bmm(grad_scores.transpose(1, 2), q[:, :, start:end].reshape(groups, -1, size))
        shape = (1, groups * share, tokens, size)
        return grad_q.mul_(ctx.scale).view(shape), grad_k[None].to(k.dtype), grad_v[None].to(v.dtype), None


def _upper(size: int) -> torch.Tensor:
    return torch.ones(size, size, dtype=torch.bool).triu_(1)


def causal_attention(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float) -> torch.Tensor:
    """Return [1, heads, tokens, head_dim] for query of that shape and key, value with fewer (grouped) heads."""
    result: torch.Tensor = _CausalAttention.apply(query, key, value, scale)
    return result


def applies(query: torch.Tensor, dropout: float) -> bool:
    """Whether this kernel is meant for such queries: bfloat16 on a CPU, one row, no dropout."""
    return query.device.type == "cpu" and query.dtype is torch.bfloat16 and query.shape[0] == 1 and not dropout
