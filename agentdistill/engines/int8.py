"""A copy of a model whose linear layers are 8-bit integers, for engines on processors and small GPUs.

Weights are rounded with one scale an output channel, symmetrically; activations are rounded by the engine as they come,
with one scale a token (W8A8, compare arXiv 2206.01861, section 4). The copy is an ordinary checkpoint of the format
`compressed-tensors`, which vLLM reads by itself. Embeddings and output layer stay as they are.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentdistill.errors import EngineError
from agentdistill.models import cache_folder

if TYPE_CHECKING:
    import torch

_WEIGHTS = "model*.safetensors"
_INDEX = "model.safetensors.index.json"
_LARGEST = 127  # -128 has no counterpart


def int8_copy(model: str, revision: str | None = None) -> str:
    """Return the folder of the copy of a resolved model (a folder, or a hub id); made once, kept in the cache.

    Raises EngineError where the model holds no such weights, or is quantized already.
    """
    source = Path(model) if Path(model).is_dir() else Path(_fetch(model, revision))
    files = sorted(source.glob(_WEIGHTS))
    if not files:
        raise EngineError(f"quantization=int8: {source} holds no {_WEIGHTS}, expected a model's safetensors files")
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    if "quantization_config" in config:
        raise EngineError(f"quantization=int8: {model} is quantized already, expected quantization=null")
    target = cache_folder() / "int8" / f"{source.name}-{_fingerprint(source, files)}"
    if not (target / "config.json").exists():
        _write(source, files, config, target)
    return str(target)


def _fetch(model: str, revision: str | None) -> str:
    from huggingface_hub import snapshot_download

    patterns = [_WEIGHTS, "*.json", "*.jinja", "*.txt", "*.model"]
    folder: str = snapshot_download(model, revision=revision, allow_patterns=patterns)
    return folder


def _fingerprint(source: Path, files: list[Path]) -> str:
    """Changes when the folder is another one, or its weights were written anew."""
    stats = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return hashlib.sha256(repr((str(source.resolve()), stats)).encode()).hexdigest()[:12]


def _write(source: Path, files: list[Path], config: dict[str, Any], target: Path) -> None:
    linear, output = _linear_layers(str(source))
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        places = {name: file.name for file in files for name in _write_file(file, partial / file.name, linear)}
        if not any(name.endswith("_scale") for name in places):
            raise EngineError(f"quantization=int8: no tensor in {source} is the weight of a linear layer")
        for item in source.iterdir():
            if item.is_file() and item.name not in {"config.json", _INDEX, *(file.name for file in files)}:
                shutil.copy(item, partial)
        (partial / _INDEX).write_text(json.dumps({"metadata": {}, "weight_map": places}), encoding="utf-8")
        config["quantization_config"] = _scheme(output)
        (partial / "config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")
        # Somebody else may have made it meanwhile: then theirs is as good.
        if not target.exists():
            os.replace(partial, target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _linear_layers(folder: str) -> tuple[set[str], str]:
    """(names of the weights to round, name of the output layer, which is not rounded); nothing is loaded."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder))
    output = model.get_output_embeddings()
    linear = {name: module for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)}
    return {f"{name}.weight" for name, module in linear.items() if module is not output}, next(
        (name for name, module in linear.items() if module is output), "lm_head"
    )


def _write_file(source: Path, target: Path, linear: set[str]) -> list[str]:
    """Write one file of weights; returns the names of its tensors."""
    from safetensors import safe_open
    from safetensors.torch import save_file

    tensors: dict[str, torch.Tensor] = {}
    with safe_open(str(source), "pt") as file:
        for name in file.keys():  # noqa: SIM118 (no mapping)
            tensor = file.get_tensor(name)
            if name in linear:
                tensors[name], tensors[f"{name}_scale"] = round_rows(tensor)
            else:
                tensors[name] = tensor
    save_file(tensors, str(target), metadata={"format": "pt"})
    return list(tensors)


def round_rows(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """([out, in] int8, [out, 1] float32 scales) such that their product is closest to `weight`, row by row."""
    import torch

    rows = weight.float()
    scales = rows.abs().amax(dim=1, keepdim=True).clamp_min(torch.finfo(torch.float32).tiny) / _LARGEST
    return (rows / scales).round_().clamp_(-_LARGEST, _LARGEST).to(torch.int8), scales


def _scheme(output: str) -> dict[str, Any]:
    weights = {"num_bits": 8, "type": "int", "symmetric": True, "strategy": "channel", "dynamic": False}
    activations = {"num_bits": 8, "type": "int", "symmetric": True, "strategy": "token", "dynamic": True}
    return {
        "quant_method": "compressed-tensors",
        "format": "int-quantized",
        "quantization_status": "compressed",
        "ignore": [output],
        "config_groups": {"group_0": {"targets": ["Linear"], "weights": weights, "input_activations": activations}},
    }
