"""Adapters merged into a copy of their model: the same model in one piece, made once, refused where they do not fit."""

import shutil
from pathlib import Path

import pytest
import torch
from train_parts import tiny_student

from agentdistill.config import EngineConfig
from agentdistill.engines.merged import merged_copy
from agentdistill.engines.vllm import _engine_arguments
from agentdistill.errors import EngineError

TOKEN_IDS = torch.tensor([[5, 6, 7, 8]])


@pytest.fixture
def base(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("AGENTDISTILL_CACHE", str(tmp_path / "cache"))
    return Path(shutil.copytree(tiny_student(), tmp_path / "base"))


@pytest.fixture
def adapter(base, tmp_path) -> Path:
    """An adapter that changes the model a lot."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    model = get_peft_model(
        AutoModelForCausalLM.from_pretrained(base),
        LoraConfig(r=2, target_modules="all-linear", init_lora_weights=False),
    )
    model.save_pretrained(tmp_path / "adapter")
    return tmp_path / "adapter"


def logits(folder: Path, adapter: Path | None = None) -> torch.Tensor:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    with torch.no_grad():
        return (model if adapter is None else PeftModel.from_pretrained(model, str(adapter)))(TOKEN_IDS).logits


def test_the_copy_is_the_adapted_model_in_one_piece(base, adapter):
    copy = Path(merged_copy(str(base), str(adapter)))

    assert torch.allclose(logits(copy), logits(base, adapter), atol=1e-4)
    assert not torch.allclose(logits(copy), logits(base), atol=1e-2)
    assert not (copy / "adapter_config.json").exists()
    assert (copy / "tokenizer.json").exists()


def test_it_is_made_once_and_anew_when_either_was_written_anew(base, adapter):
    first = Path(merged_copy(str(base), str(adapter)))
    (first / "mark").touch()

    assert (Path(merged_copy(str(base), str(adapter))) / "mark").exists()
    for changed in (adapter / "adapter_model.safetensors", base / "model.safetensors"):
        changed.touch()
        assert not (Path(merged_copy(str(base), str(adapter))) / "mark").exists()
        (Path(merged_copy(str(base), str(adapter))) / "mark").touch()


def test_an_adapter_of_another_model_is_refused_and_leaves_nothing(base, adapter, tmp_path):
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.from_pretrained(base)
    config.intermediate_size *= 2
    AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path / "other")

    with pytest.raises(EngineError, match=r"adapter .*: cannot be merged into .*other: "):
        merged_copy(str(tmp_path / "other"), str(adapter))

    assert not (tmp_path / "cache" / "merged").exists()


def test_a_folder_without_an_adapter_is_refused(base, tmp_path):
    with pytest.raises(EngineError, match=r"no adapter_config\.json there, expected a LoRA adapter's folder"):
        merged_copy(str(base), str(tmp_path))


def test_a_torn_adapter_is_refused(base, adapter):
    weights = adapter / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])

    with pytest.raises(EngineError, match="torn weights"):
        merged_copy(str(base), str(adapter))


@pytest.mark.parametrize(
    ("accelerator", "merge", "merged"),
    [(False, None, True), (True, None, False), (True, True, True), (False, False, False)],
)
def test_an_engine_gets_it_merged_on_cpu_and_where_the_config_says(
    base, adapter, monkeypatch, accelerator, merge, merged
):
    monkeypatch.setattr("agentdistill.engines.vllm._has_accelerator", lambda: accelerator)

    arguments = _engine_arguments(EngineConfig(model=str(base), adapter=str(adapter), merge_adapter=merge))

    assert (arguments["model"] != str(base)) is merged
    assert ("enable_lora" not in arguments) is merged
