"""Attention that stays inside each example of a packed row.

On a GPU with flash-attn, its varlen kernel does that. Elsewhere each segment of the row is attended to on its own,
which computes no masked block at all and needs no mask in memory. Models that cap their scores or hold attention sinks
(a learned score a head that takes part in the softmax and has no value) keep a square of scores for each segment.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional

from agentdistill.train.model import cpu_attention

NAME = "agentdistill_segments"


def register() -> str:
    """Make the segment attention known to transformers; returns the name to pass as `attn_implementation`."""
    from transformers import AttentionInterface, AttentionMaskInterface

    AttentionInterface.register(NAME, segment_attention)
    AttentionMaskInterface.register(NAME, _no_mask)
    return NAME


def _no_mask(*args: Any, **kwargs: Any) -> None:
    """Segments replace the mask."""


def segment_attention(
    module: torch.nn.Module,
    query: torch.Tensor,  # [1, heads, tokens, head_dim]
    key: torch.Tensor,  # [1, kv_heads, tokens, head_dim]
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    softcap: float | None = None,
    segment_lengths: tuple[int, ...] | None = None,
    s_aux: torch.Tensor | None = None,  # [heads] attention sinks
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Causal attention within each segment; returns [1, tokens, heads, head_dim]."""
    device = query.device.type
    if torch.is_autocast_enabled(device):
        # Rotary embeddings in float32 leave queries and keys in float32, values in the lower precision.
        dtype = torch.get_autocast_dtype(device)
        query, key, value = query.to(dtype), key.to(dtype), value.to(dtype)
    lengths = segment_lengths or (query.shape[2],)
    if query.shape[0] != 1 and len(lengths) > 1:
        raise ValueError(f"a packed row comes alone, not in a batch of {query.shape[0]}")
    fits_flash = query.is_cuda and query.dtype in (torch.bfloat16, torch.float16) and s_aux is None
    kernel = flash_varlen() if fits_flash else None
    if kernel is not None:
        return varlen_attention(kernel, query, key, value, lengths, scaling, dropout, sliding_window, softcap), None
    outputs = []
    start = 0
    for length in lengths:
        part = slice(start, start + length)
        start += length
        q, k, v = query[:, :, part], key[:, :, part], value[:, :, part]
        if softcap is not None or s_aux is not None:
            outputs.append(_with_scores(q, k, v, scaling, dropout, sliding_window, softcap, s_aux))
            continue
        window = sliding_window if sliding_window is not None and sliding_window < length else None
        if window is None and cpu_attention.applies(q, dropout):
            outputs.append(cpu_attention.causal_attention(q, k, v, scaling or q.shape[-1] ** -0.5))
            continue
        mask = None if window is None else _window_mask(length, window, query.device)
        outputs.append(
            functional.scaled_dot_product_attention(
                q, k, v, attn_mask=mask, dropout_p=dropout, is_causal=mask is None, scale=scaling, enable_gqa=True
            )
        )
    joined = outputs[0] if len(outputs) == 1 else torch.cat(outputs, dim=2)
    return joined.transpose(1, 2).contiguous(), None


@functools.cache
def flash_varlen() -> Callable[..., torch.Tensor] | None:
    """flash-attn's kernel for rows of several sequences; None where the package is not installed."""
    try:
        from flash_attn import flash_attn_varlen_func
    except ImportError:
        return None
    kernel: Callable[..., torch.Tensor] = flash_attn_varlen_func
    return kernel


def varlen_attention(
    kernel: Callable[..., torch.Tensor],
    query: torch.Tensor,  # [1, heads, tokens, head_dim]
    key: torch.Tensor,  # [1, kv_heads, tokens, head_dim]
    value: torch.Tensor,
    lengths: tuple[int, ...],
    scaling: float | None,
    dropout: float,
    window: int | None,
    softcap: float | None,
) -> torch.Tensor:
    """Causal attention within each segment by a kernel with the signature of `flash_attn_varlen_func`.

    Returns [1, tokens, heads, head_dim].
    """
    bounds = torch.tensor((0, *lengths), device=query.device).cumsum(0).to(torch.int32)
    output = kernel(
        *(tensor[0].transpose(0, 1) for tensor in (query, key, value)),  # [tokens, heads, head_dim]
        bounds,
        bounds,
        max(lengths),
        max(lengths),
        dropout_p=dropout,
        softmax_scale=scaling,
        causal=True,
        # Keys from `left` before the query to `right` behind it; transformers counts the query itself.
        window_size=(-1, -1) if window is None else (window - 1, 0),
        softcap=softcap or 0.0,
    )
    return output[None]


def _window_mask(length: int, window: int | None, device: torch.device) -> torch.Tensor:
    """[length, length] True where a query may look: at itself and at most window - 1 tokens before."""
    position = torch.arange(length, device=device)
    distance = position[:, None] - position[None, :]
    allowed = distance >= 0
    return allowed if window is None else allowed & (distance < window)


def _with_scores(
    q: torch.Tensor,  # [1, heads, tokens, head_dim]
    k: torch.Tensor,  # [1, kv_heads, tokens, head_dim]
    v: torch.Tensor,
    scaling: float | None,
    dropout: float,
    window: int | None,
    softcap: float | None,
    sinks: torch.Tensor | None,  # [heads]
) -> torch.Tensor:
    """Causal attention of one segment with its scores in memory, float32: [1, heads, tokens, tokens]."""
    repeat = q.shape[1] // k.shape[1]
    k, v = k.repeat_interleave(repeat, dim=1), v.repeat_interleave(repeat, dim=1)
    scores = (q @ k.transpose(2, 3)).float() * (scaling if scaling is not None else q.shape[-1] ** -0.5)
    if softcap is not None:
        scores = torch.tanh(scores / softcap) * softcap
    scores = scores.masked_fill(~_window_mask(q.shape[2], window, q.device), float("-inf"))
    if sinks is not None:
        column = sinks.float().view(1, -1, 1, 1).expand(*scores.shape[:3], 1)
        scores = torch.cat([scores, column], dim=-1)
    chances = scores.softmax(dim=-1)[..., : k.shape[2]]
    return functional.dropout(chances, dropout).to(v.dtype) @ v
