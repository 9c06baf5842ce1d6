"""The chunked loss, the packed attention and the schedule compute what the plain ones do."""

import pytest
import torch
from torch.nn import functional
from train_parts import example, renderer_for, tiny_config

from agentdistill.train.data.rows import make_row
from agentdistill.train.model.cpu_attention import causal_attention
from agentdistill.train.model.load import load_student
from agentdistill.train.objectives.cross_entropy import chunked_cross_entropy, plain_cross_entropy
from agentdistill.train.schedule import learning_rate


def loss_inputs():
    torch.manual_seed(0)
    hidden = torch.randn(37, 16, requires_grad=True)
    weight = torch.randn(101, 16, requires_grad=True)
    return hidden, weight, torch.randint(0, 101, (37,)), torch.rand(37)


@pytest.mark.parametrize("chunk", [1, 8, 37, 1000])
def test_the_chunked_loss_and_its_gradients_equal_the_plain_ones(chunk):
    hidden, weight, targets, weights = loss_inputs()
    plain = plain_cross_entropy(hidden, weight, targets, weights)
    expected = torch.autograd.grad(plain * 0.3, (hidden, weight))

    loss = chunked_cross_entropy(hidden, weight, targets, weights, chunk=chunk)
    found = torch.autograd.grad(loss * 0.3, (hidden, weight))

    torch.testing.assert_close(loss, plain)
    torch.testing.assert_close(found, expected)


def test_a_softcap_on_the_logits_is_part_of_the_loss():
    hidden, weight, targets, weights = loss_inputs()
    logits = torch.tanh(hidden @ weight.T / 5.0) * 5.0
    plain = (functional.cross_entropy(logits, targets, reduction="none") * weights).sum()
    expected = torch.autograd.grad(plain, (hidden, weight))

    loss = chunked_cross_entropy(hidden, weight, targets, weights, softcap=5.0, chunk=8)

    torch.testing.assert_close(loss, plain)
    torch.testing.assert_close(torch.autograd.grad(loss, (hidden, weight)), expected)


def test_a_frozen_output_layer_gets_no_gradient():
    hidden, weight, targets, weights = loss_inputs()

    chunked_cross_entropy(hidden, weight.requires_grad_(False), targets, weights).backward()

    assert weight.grad is None
    assert hidden.grad is not None


def row_loss_and_gradients(student, rows):
    student.zero_grad()
    loss = sum(student(row) for row in rows)
    loss.backward()
    return loss.detach(), [parameter.grad.clone() for _, parameter in student.trainable()]


def packed_and_unpacked(dtype: str):
    student = load_student(tiny_config(dtype=dtype), tiny_config().model, torch.device("cpu"))
    renderer = renderer_for("chatml")
    sequences = [renderer.render(example(number, searches=number))[0] for number in range(4)]
    packed = row_loss_and_gradients(student, [make_row(sequences)])
    return packed, row_loss_and_gradients(student, [make_row([sequence]) for sequence in sequences])


def largest_difference(gradients, expected):
    """Of each parameter's gradients, as a share of their norm: single elements near zero are all rounding."""
    return max(float((found - other).norm() / other.norm()) for found, other in zip(gradients, expected, strict=True))


def test_packed_and_unpacked_losses_and_gradients_are_equal():
    (packed, gradients), (unpacked, expected) = packed_and_unpacked("float32")

    torch.testing.assert_close(packed, unpacked, rtol=1e-6, atol=0)
    assert largest_difference(gradients, expected) < 2e-6


def test_packed_and_unpacked_gradients_are_equal_to_rounding_in_bfloat16():
    (packed, gradients), (unpacked, expected) = packed_and_unpacked("bfloat16")

    torch.testing.assert_close(packed, unpacked, rtol=2e-3, atol=0)
    assert largest_difference(gradients, expected) < 0.02


def test_the_loss_equals_that_of_the_model_as_transformers_computes_it():
    from transformers import AutoModelForCausalLM

    config = tiny_config()
    student = load_student(config, config.model, torch.device("cpu"))
    (sequence,) = renderer_for("chatml").render(example(searches=2))
    ids = torch.tensor([sequence.token_ids])
    labels = torch.where(torch.tensor([sequence.weights]) > 0, ids, -100)

    with torch.no_grad():
        expected = AutoModelForCausalLM.from_pretrained(config.model)(input_ids=ids, labels=labels).loss
        row = make_row([sequence])
        found = student(row) / row.weights.sum()

    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_gradient_checkpointing_changes_no_gradient():
    row = make_row(renderer_for("chatml").render(example(searches=2)))

    results = []
    for checkpointing in (False, True):
        config = tiny_config(gradient_checkpointing=checkpointing)
        results.append(row_loss_and_gradients(load_student(config, config.model, torch.device("cpu")), [row]))

    torch.testing.assert_close(*results)


@pytest.mark.parametrize("tokens", [1, 127, 128, 300])
def test_the_cpu_attention_equals_torchs_own(tokens):
    torch.manual_seed(tokens)
    inputs = [torch.randn(1, heads, tokens, 8, requires_grad=True) for heads in (6, 2, 2)]
    upstream = torch.randn(1, 6, tokens, 8)
    expected = functional.scaled_dot_product_attention(*inputs, is_causal=True, scale=0.3, enable_gqa=True)

    found = causal_attention(*inputs, 0.3)

    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(
        torch.autograd.grad(found, inputs, upstream),
        torch.autograd.grad(expected, inputs, upstream),
        rtol=1e-4,
        atol=1e-5,
    )


def test_bfloat16_training_stays_close_to_float32():
    row = make_row(renderer_for("chatml").render(example(searches=2)))

    losses = []
    for dtype in ("float32", "bfloat16"):
        config = tiny_config(dtype=dtype)
        losses.append(float(row_loss_and_gradients(load_student(config, config.model, torch.device("cpu")), [row])[0]))

    assert losses[1] == pytest.approx(losses[0], rel=1e-2)


@pytest.mark.parametrize(("schedule", "last"), [("constant", 1.0), ("linear", 1 / 9), ("cosine", 0.0302)])
def test_the_rate_warms_up_and_follows_its_schedule(schedule, last):
    rates = [learning_rate(step, 10, 1.0, 0.1, schedule) for step in range(10)]

    assert rates[0] == 1.0
    assert rates[1] == 1.0
    assert rates[-1] == pytest.approx(last, abs=1e-3)


def test_warm_up_rises_in_equal_steps():
    assert [learning_rate(step, 10, 1.0, 0.4, "constant") for step in range(5)] == [0.25, 0.5, 0.75, 1.0, 1.0]
