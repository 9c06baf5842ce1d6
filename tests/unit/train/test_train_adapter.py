"""Adapters: the same after reloading, merged without change, and never empty or partial."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from train_parts import example, examples, renderer_for, tiny_config, tiny_student, write_examples

from agentdistill.config.train import LoraConfig
from agentdistill.errors import CheckpointError
from agentdistill.train.data.tokenizer import load_tokenizer
from agentdistill.train.job import train
from agentdistill.train.model import adapter
from agentdistill.train.model.load import load_student
from agentdistill.train.model.output import check_whole, save_student

pytestmark = pytest.mark.slow

LORA = LoraConfig(enabled=True, r=4, alpha=8, dropout=0.1)


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("adapter")
    return Path(train(tiny_config(lora=LORA), write_examples(folder, examples(8)), str(folder / "run")).student)


@pytest.fixture
def copy(trained, tmp_path) -> Path:
    target = tmp_path / "adapter"
    target.mkdir()
    for path in trained.iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    return target


def change(folder: Path, edit) -> None:
    tensors = load_file(folder / adapter.WEIGHTS)
    save_file(edit(tensors), folder / adapter.WEIGHTS)


def token_ids() -> tuple[int, ...]:
    (sequence,) = renderer_for("chatml").render(example())
    return sequence.token_ids


def test_a_reloaded_adapter_has_the_logits_of_the_model_in_memory(tmp_path):
    config = tiny_config(lora=LORA)
    student = load_student(config, config.model, torch.device("cpu"))
    generator = torch.Generator().manual_seed(0)
    for _, parameter in student.trainable():
        parameter.data = torch.randn(parameter.shape, generator=generator) * 0.1
    weights = {name: parameter.detach().clone() for name, parameter in student.trainable()}

    save_student(student, weights, load_tokenizer(config.model), tmp_path / "adapter", {}, "card")

    assert (
        adapter.reload_difference(student.model, config.model, tmp_path / "adapter", token_ids())
        <= adapter.RELOAD_TOLERANCE
    )
    base = load_student(tiny_config(), config.model, torch.device("cpu")).model
    assert adapter.logit_difference(student.model, base, token_ids()) > 0.01


def test_a_comparison_with_other_weights_is_an_error(trained):
    config = tiny_config(lora=LORA)
    fresh = load_student(config, config.model, torch.device("cpu"))

    with pytest.raises(CheckpointError, match="reloaded, its logits differ"):
        adapter.reload_difference(fresh.model, config.model, trained, token_ids())


def test_a_merged_adapter_is_a_full_model_with_the_same_logits(trained, tmp_path):
    from transformers import AutoModelForCausalLM

    difference = adapter.merge(tiny_student(), trained, tmp_path / "merged", token_ids())

    merged = AutoModelForCausalLM.from_pretrained(str(tmp_path / "merged"))
    again = adapter.logit_difference(merged, adapter.load_adapted(tiny_student(), trained), token_ids())
    assert max(difference, again) <= adapter.MERGE_TOLERANCE


def test_an_export_carries_its_scores_in_the_card(trained, tmp_path):
    target = adapter.export(trained, tmp_path / "export", {"world after": 0.5})

    assert "| world after | 0.5 |" in (target / "README.md").read_text()
    assert adapter.check_adapter(target)["r"] == 4


def test_an_adapter_without_weights_is_refused(copy):
    change(copy, lambda tensors: {})

    with pytest.raises(CheckpointError, match="the adapter is empty"):
        adapter.check_adapter(copy)


def test_an_adapter_of_ungathered_weights_is_refused(copy):
    change(copy, lambda tensors: {name: torch.empty(0) for name in tensors})

    with pytest.raises(CheckpointError, match="no elements: it was saved before ZeRO-3 gathered it"):
        adapter.check_adapter(copy)


def test_an_adapter_with_half_a_pair_is_refused(copy):
    change(copy, lambda tensors: dict(list(tensors.items())[1:]))

    with pytest.raises(CheckpointError, match="partial adapter"):
        adapter.check_adapter(copy)


def test_an_adapter_that_lacks_a_layer_of_some_kind_is_refused(copy):
    change(copy, lambda tensors: {k: v for k, v in tensors.items() if not ("layers.1" in k and "q_proj" in k)})

    with pytest.raises(CheckpointError, match="layer 1 has fewer weights"):
        adapter.check_adapter(copy)


def test_an_adapter_that_changes_nothing_is_refused(copy):
    change(copy, lambda tensors: {k: v * (0 if "lora_B" in k else 1) for k, v in tensors.items()})

    with pytest.raises(CheckpointError, match="every lora_B is zero"):
        adapter.check_adapter(copy)


def test_a_torn_adapter_is_refused(copy):
    (copy / adapter.WEIGHTS).write_bytes((copy / adapter.WEIGHTS).read_bytes()[:100])

    with pytest.raises(CheckpointError, match="torn adapter"):
        adapter.check_adapter(copy)


def test_an_adapter_of_another_model_is_refused(trained):
    other = tiny_student(hidden=64)

    with pytest.raises(CheckpointError, match="does not fit the model"):
        adapter.load_adapted(other, trained)


def test_a_partitioned_weight_is_not_saved():
    config = tiny_config(lora=LORA)
    student = load_student(config, config.model, torch.device("cpu"))
    weights = {name: torch.empty(0) for name, _ in student.trainable()}

    with pytest.raises(CheckpointError, match="it was not gathered from all ranks; the student was not saved"):
        check_whole(student, weights)


def test_the_settings_name_the_layers_that_vllm_loads(trained):
    settings = json.loads((trained / adapter.SETTINGS).read_text())

    assert sorted(settings["target_modules"]) == [
        "down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj"
    ]  # fmt: skip
    assert settings["inference_mode"] is True
