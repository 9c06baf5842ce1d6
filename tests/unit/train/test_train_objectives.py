"""What is minimised is the config's choice: an objective of one's own trains, and one that cannot is refused."""

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
import torch
from torch.nn import functional
from train_parts import examples, renderer_for, tiny_config, tiny_student, write_examples
from train_runs import curve

from agentdistill import storage
from agentdistill.config.settings import check_bounds
from agentdistill.config.train import CheckpointConfig, TrainConfig
from agentdistill.errors import ConfigError, DataError, RunFolderError
from agentdistill.schema import TRAINING_EXAMPLES
from agentdistill.train.data.rows import make_row
from agentdistill.train.job import train
from agentdistill.train.model.load import load_student
from agentdistill.train.objectives.make import make_objective

pytestmark = pytest.mark.slow

RATE = 1e-2
#: Two steps, each on all four examples.
TWO_STEPS = {"epochs": 2, "warmup_ratio": 0.0, "schedule": "constant", "learning_rate": RATE}


def objective_config(name: str, **changes) -> TrainConfig:
    return tiny_config(objective=f"train_objectives:{name}", **{**TWO_STEPS, **changes})


def write_with(folder: Path, **columns: list) -> str:
    """A training set of four examples with more columns."""
    path = write_examples(folder, examples(4))
    table = storage.read_table(path, TRAINING_EXAMPLES)
    for name, values in columns.items():
        table = table.append_column(name, pa.array(values))
    storage.write_table(path, table)
    return path


def by_hand(loss_of_example) -> list[float]:
    """The losses of two steps as transformers and torch compute them, each example on its own, every logit at once."""
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny_student())
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.0)
    sequences = [renderer_for("chatml").render(row)[0] for row in examples(4)]
    total_weight = sum(sum(sequence.weights) for sequence in sequences)
    losses = []
    for _ in range(2):
        total = torch.zeros(())
        for number, sequence in enumerate(sequences):
            ids, weights = torch.tensor(sequence.token_ids), torch.tensor(sequence.weights)[1:]
            logits = model(input_ids=ids[None]).logits[0, :-1]
            total = total + (loss_of_example(number, logits, ids[1:]) * weights).sum()
        loss = total / total_weight
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize(
    ("name", "settings", "smoothing"),
    [("LabelSmoothing", {"smoothing": 0.3}, 0.3), ("LabelSmoothing", {}, 0.1), ("smooth", {}, 0.5)],
    ids=["with settings", "with its defaults", "a function"],
)
def test_an_objective_of_ones_own_trains_as_computed_by_hand(tmp_path, name, settings, smoothing):
    def smoothed(number, logits, targets):
        likelihoods = functional.log_softmax(logits, dim=-1)
        of_targets = likelihoods.gather(1, targets[:, None])[:, 0]
        return -(1 - smoothing) * of_targets - smoothing * likelihoods.mean(dim=-1)

    config = objective_config(name, objective_settings=settings)
    train(config, write_examples(tmp_path, examples(4)), str(tmp_path / "run"))

    assert curve(tmp_path / "run") == pytest.approx(by_hand(smoothed), abs=2e-4)


@pytest.mark.parametrize("packing", [True, False])
def test_each_token_has_its_examples_numbers_however_examples_share_rows(tmp_path, packing):
    advantages = [1.0, -0.5, 0.0, 2.0]

    def weighted(number, logits, targets):
        return functional.cross_entropy(logits, targets, reduction="none") * advantages[number]

    path = write_with(tmp_path, advantage=advantages)
    train(objective_config("Advantage", packing=packing), path, str(tmp_path / "run"))

    assert curve(tmp_path / "run") == pytest.approx(by_hand(weighted), abs=2e-4)


def test_the_held_out_loss_is_the_objectives_too(tmp_path):
    path = write_with(tmp_path, advantage=[0.0] * 4)

    summary = train(objective_config("Advantage", held_out_share=0.3), path, str(tmp_path / "run"))

    assert summary.held_out_loss == 0.0


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({}, r"training_set.parquet: it has no column advantage, which train.objective needs of each example"),
        ({"advantage": ["a"] * 4}, r"its column advantage holds string, expected a number for each example"),
        ({"advantage": [1.0, None, 1.0, 1.0]}, r"example example-1: its advantage is None, expected a number"),
        ({"advantage": [1.0, 1.0, float("nan"), 1.0]}, r"example example-2: its advantage is nan, expected a number"),
    ],
    ids=["missing", "words", "null", "nan"],
)
def test_columns_that_do_not_fit_are_refused_before_training(tmp_path, columns, message):
    path = write_with(tmp_path, **columns)

    with pytest.raises(DataError, match=message):
        train(objective_config("Advantage"), path, str(tmp_path / "run"))

    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("without_columns", {}, r"its columns are None, expected an object, or a class called with"),
        ("OneName", {}, r"its columns are 'advantage', expected"),
        ("TwoArguments", {}, r"it takes \(hidden, row\), expected"),
        ("NoCall", {}, r"it cannot be called, expected"),
        (
            "LabelSmoothing",
            {"smooth": 1},
            r"cannot be made with them: TypeError: .*unexpected keyword argument 'smooth'",
        ),
        ("smooth", {"smoothing": 1}, r"train_objectives:smooth is not a class, so it takes no settings"),
        ("missing", {}, r"objective 'train_objectives:missing': train_objectives:missing cannot be imported"),
    ],
)
def test_what_is_no_objective_is_refused_in_a_sentence(name, settings, message):
    with pytest.raises(ConfigError, match=message):
        make_objective(objective_config(name, objective_settings=settings))


def test_an_unknown_name_is_refused_by_the_config():
    ((key, value, expected),) = check_bounds(TrainConfig(objective="cross_entropi"))

    assert (key, value) == ("objective", "cross_entropi")
    assert "did you mean cross_entropy?" in expected


@pytest.mark.parametrize(
    "changes", [{"objective": "train_objectives:smooth"}, {"objective_settings": {"smoothing": 0.2}}]
)
def test_checkpoints_of_another_objective_are_not_gone_on_from(tmp_path, changes):
    settings = CheckpointConfig(every_steps=1, every_minutes=None)
    config = objective_config("LabelSmoothing", checkpoint=settings)
    path = write_examples(tmp_path, examples(4))
    train(config, path, str(tmp_path / "run"))

    with pytest.raises(RunFolderError, match="come from another config"):
        train(replace(config, **changes), path, str(tmp_path / "run"))


def test_an_objective_never_sees_a_row_without_trained_tokens_and_its_gradients_are_zero():
    config = objective_config("NeedsTokens")
    student = load_student(config, config.model, torch.device("cpu"))

    loss = student(make_row([]))
    loss.backward()

    assert loss.item() == 0.0
    assert all(parameter.grad is not None and not parameter.grad.any() for _, parameter in student.trainable())
