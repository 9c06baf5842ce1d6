"""Attention within each example of a packed row, for the kinds of model that there are."""

import pytest
import torch
from torch.nn import functional
from train_parts import tiny_config, tiny_student
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    GraniteConfig,
    Lfm2Config,
)

from agentdistill.config.train import LoraConfig
from agentdistill.errors import ConfigError
from agentdistill.train.model import attention
from agentdistill.train.model.load import load_student

LENGTHS = (21, 5, 13)  # the first is longer than the sliding windows below

SHAPE = {
    "vocab_size": 96, "hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 16, "max_position_embeddings": 128, "pad_token_id": 0,
}  # fmt: skip
FAMILIES = {
    "llama": {},
    "qwen2": {},
    "qwen3": {},
    "phi3": {},
    "mistral": {"sliding_window": 8},
    "gemma2": {"sliding_window": 8, "attn_logit_softcapping": 5.0, "final_logit_softcapping": 5.0},
    "gemma3_text": {"sliding_window": 8},
    "gpt_oss": {"sliding_window": 8, "num_local_experts": 2, "num_experts_per_tok": 1},
}


def tokens() -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and positions of a packed row."""
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(1, 96, (1, sum(LENGTHS)), generator=generator)
    return ids, torch.cat([torch.arange(length) for length in LENGTHS])[None]


def loss_and_gradients(model, logits: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    loss = (logits.float() * torch.linspace(-1, 1, logits.shape[-1])).sum()
    loss.backward()
    return logits.detach(), {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_a_packed_row_has_the_logits_and_gradients_of_its_examples_alone(family):
    config = AutoConfig.for_model(family, **{**SHAPE, **FAMILIES[family]})
    torch.manual_seed(0)
    plain = AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
    packed = AutoModelForCausalLM.from_config(config, attn_implementation=attention.register()).eval()
    packed.load_state_dict(plain.state_dict())
    ids, positions = tokens()

    alone = torch.cat([plain(input_ids=part, use_cache=False).logits[0] for part in ids.split(LENGTHS, dim=1)])
    row = packed(input_ids=ids, position_ids=positions, use_cache=False, segment_lengths=LENGTHS).logits[0]

    expected, found = loss_and_gradients(plain, alone), loss_and_gradients(packed, row)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def reference_varlen(
    q, k, v, bounds_q, bounds_k, longest_q, longest_k, dropout_p, softmax_scale, causal, window_size, softcap
):
    """What flash-attn documents of `flash_attn_varlen_func`, in plain torch."""
    assert causal
    assert torch.equal(bounds_q, bounds_k)
    assert bounds_q.dtype is torch.int32
    assert longest_q == longest_k == int(bounds_q.diff().max())
    k, v = (tensor.repeat_interleave(q.shape[1] // tensor.shape[1], dim=1) for tensor in (k, v))
    parts = []
    for start, end in zip(bounds_q[:-1].tolist(), bounds_q[1:].tolist(), strict=True):
        scores = torch.einsum("qhd,khd->hqk", q[start:end], k[start:end]) * softmax_scale
        if softcap:
            scores = torch.tanh(scores / softcap) * softcap
        place = torch.arange(end - start)
        before = place[:, None] - place[None, :]
        allowed = before >= 0 if window_size == (-1, -1) else (before >= 0) & (before <= window_size[0])
        chances = scores.masked_fill(~allowed, float("-inf")).softmax(dim=-1)
        parts.append(torch.einsum("hqk,khd->qhd", chances, v[start:end]))
    return torch.cat(parts)


@pytest.mark.parametrize(("window", "softcap"), [(None, None), (8, None), (8, 5.0)])
def test_a_varlen_kernel_is_called_for_the_same_attention(window, softcap):
    torch.manual_seed(0)
    query, key, value = (torch.randn(1, heads, sum(LENGTHS), 16) for heads in (4, 2, 2))

    found = attention.varlen_attention(
        reference_varlen, query, key, value, LENGTHS, scaling=0.3, dropout=0.0, window=window, softcap=softcap
    )

    expected, _ = attention.segment_attention(
        torch.nn.Identity(), query, key, value, None, scaling=0.3, sliding_window=window, softcap=softcap,
        segment_lengths=LENGTHS,
    )  # fmt: skip
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_sinks_take_part_in_the_softmax_and_have_no_value():
    torch.manual_seed(0)
    query, key, value = (torch.randn(1, 2, 6, 8) for _ in range(3))
    sinks = torch.tensor([0.5, -1.0], requires_grad=True)

    found, _ = attention.segment_attention(
        torch.nn.Identity(), query, key, value, None, scaling=1.0, s_aux=sinks, segment_lengths=(6,)
    )

    scores = (query @ key.transpose(2, 3)).masked_fill(torch.ones(6, 6, dtype=torch.bool).triu(1), float("-inf"))
    sums = scores.exp().sum(-1, keepdim=True)
    without = functional.scaled_dot_product_attention(query, key, value, is_causal=True, scale=1.0)
    expected = without * sums / (sums + sinks.exp().view(1, 2, 1, 1))
    torch.testing.assert_close(found, expected.transpose(1, 2), rtol=1e-5, atol=1e-5)
    assert torch.autograd.grad(found.sum(), sinks)[0].abs().min() > 0


def saved(folder, config) -> str:
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(str(folder))
    AutoTokenizer.from_pretrained(tiny_student()).save_pretrained(str(folder))
    return str(folder)


def test_a_model_that_scales_its_logits_is_refused(tmp_path):
    folder = saved(tmp_path, GraniteConfig(**SHAPE, logits_scaling=4.0))

    with pytest.raises(ConfigError, match="its logits are not its output layer times its last hidden state"):
        load_student(tiny_config(), folder, torch.device("cpu"))


def test_a_model_whose_layers_look_across_examples_trains_only_unpacked(tmp_path):
    folder = saved(tmp_path, Lfm2Config(**SHAPE, layer_types=["conv", "full_attention"]))

    with pytest.raises(ConfigError, match=r"look from one example of a packed row into another.*train.packing=false"):
        load_student(tiny_config(), folder, torch.device("cpu"))
    load_student(tiny_config(packing=False), folder, torch.device("cpu"))


@pytest.mark.parametrize("target", ["lm_head", "no_such_layer"])
def test_lora_on_a_layer_that_is_not_one_of_the_linear_ones_is_refused(target):
    config = tiny_config(lora=LoraConfig(target_modules=["q_proj", target]))

    with pytest.raises(ConfigError, match=rf"target_modules names {target}, expected all-linear or some of down_proj"):
        load_student(config, config.model, torch.device("cpu"))
