"""Copies with 8-bit linear layers: close to the original, made once, and refused where there is nothing to round."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from train_parts import tiny_student

from agentdistill.config import EngineConfig
from agentdistill.engines import engine_name
from agentdistill.engines.int8 import int8_copy, round_rows
from agentdistill.errors import EngineError


@pytest.fixture
def source(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("AGENTDISTILL_CACHE", str(tmp_path / "cache"))
    return Path(shutil.copytree(tiny_student(), tmp_path / "student"))


def test_each_row_is_rounded_to_within_half_a_step() -> None:
    torch.manual_seed(0)
    weight = torch.randn(7, 33) * torch.logspace(-3, 3, 7)[:, None]

    rounded, scales = round_rows(weight)

    assert rounded.dtype is torch.int8
    assert ((rounded * scales - weight).abs() <= scales * 0.5001).all()
    assert (rounded.abs().amax(dim=1) == 127).all()


def test_a_row_of_zeros_stays_one() -> None:
    rounded, scales = round_rows(torch.zeros(2, 4))

    assert (rounded * scales == 0).all()


def test_linear_layers_are_rounded_and_all_else_stays(source: Path) -> None:
    before = load_file(source / "model.safetensors")

    copy = Path(int8_copy(str(source)))

    after = load_file(copy / "model.safetensors")
    for name, tensor in before.items():
        if "proj" in name:
            assert after[name].dtype is torch.int8
            assert (after[name] * after[f"{name}_scale"] - tensor).abs().max() <= after[f"{name}_scale"].max() / 2
        else:
            assert torch.equal(after[name], tensor)
    assert json.loads((copy / "model.safetensors.index.json").read_text())["weight_map"].keys() == after.keys()
    assert json.loads((copy / "config.json").read_text())["quantization_config"]["ignore"] == ["lm_head"]
    assert (copy / "tokenizer.json").read_bytes() == (source / "tokenizer.json").read_bytes()


def test_the_copy_is_made_once_and_anew_when_the_weights_changed(source: Path) -> None:
    first = Path(int8_copy(str(source)))
    (first / "mark").touch()

    assert (Path(int8_copy(str(source))) / "mark").exists()
    (source / "model.safetensors").touch()
    assert not (Path(int8_copy(str(source))) / "mark").exists()


def test_a_model_that_is_quantized_already_is_refused(source: Path) -> None:
    with pytest.raises(EngineError, match="is quantized already, expected quantization=null"):
        int8_copy(int8_copy(str(source)))


def test_a_folder_without_weights_is_refused(source: Path) -> None:
    (source / "model.safetensors").unlink()

    with pytest.raises(EngineError, match="expected a model's safetensors files"):
        int8_copy(str(source))


def test_a_torn_file_of_weights_leaves_no_copy_behind(source: Path) -> None:
    weights = source / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])

    with pytest.raises(SafetensorError):
        int8_copy(str(source))

    assert not list((source.parent / "cache" / "int8").iterdir())


def test_records_name_the_quantization() -> None:
    assert engine_name(EngineConfig(model="m", quantization="int8")) == "m:int8"
    assert engine_name(EngineConfig(model="m", adapter="a", quantization="int8")) == "m+a:int8"


def test_it_is_for_vllm_alone() -> None:
    assert [key for key, _, _ in EngineConfig(quantization="int8", engine="scripted").problems()] == ["quantization"]


@pytest.mark.parametrize(("merge", "problems"), [(None, []), (True, []), (False, ["merge_adapter"])])
def test_an_adapter_has_to_be_merged_before_its_model_is_rounded(merge, problems) -> None:
    config = EngineConfig(quantization="int8", adapter="folder", merge_adapter=merge)

    assert [key for key, _, _ in config.problems()] == problems
