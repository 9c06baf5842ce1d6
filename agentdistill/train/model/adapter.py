"""LoRA adapters after training: check, load, compare with the model in memory, merge, export.

Tolerance of every comparison: logits differ by at most 1e-3 in float32 (rounding of another order of additions);
reloading the same adapter in the same form gives differences of at most 1e-5.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from agentdistill.errors import CheckpointError
from agentdistill.train.faults import explain_write

WEIGHTS = "adapter_model.safetensors"
SETTINGS = "adapter_config.json"

#: Largest difference of logits between two forms of the same model, float32.
RELOAD_TOLERANCE = 1e-5
MERGE_TOLERANCE = 1e-3

_PAIR = re.compile(r"^(?P<module>.+)\.lora_(?P<side>[AB])\.weight$")


def check_adapter(folder: Path) -> dict[str, Any]:
    """Return the adapter's settings. Raises CheckpointError where it is missing, empty, partial or untrained."""
    try:
        settings: dict[str, Any] = json.loads((folder / SETTINGS).read_text())
        tensors = _read_tensors(folder / WEIGHTS)
    except FileNotFoundError as error:
        raise CheckpointError(f"{error.filename}: no such file, expected a LoRA adapter's folder") from error
    except ValueError as error:
        raise CheckpointError(f"{folder / SETTINGS}: not valid JSON") from error
    if not tensors:
        raise CheckpointError(f"{folder / WEIGHTS}: the adapter is empty, it holds no weights")
    sides: dict[str, dict[str, torch.Tensor]] = {}
    for name, tensor in tensors.items():
        if tensor.numel() == 0:
            raise CheckpointError(
                f"{folder / WEIGHTS}: {name} has no elements: it was saved before ZeRO-3 gathered it; train again"
            )
        found = _PAIR.match(name)
        if found:
            sides.setdefault(found["module"], {})[found["side"]] = tensor
    _check_pairs(folder, sides, int(settings["r"]))
    if not any(bool(pair["B"].any()) for pair in sides.values()):
        raise CheckpointError(f"{folder / WEIGHTS}: every lora_B is zero, so the adapter changes nothing; train again")
    return settings


def _read_tensors(path: Path) -> dict[str, torch.Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.exists():
        raise FileNotFoundError(2, "no such file", str(path))
    try:
        tensors: dict[str, torch.Tensor] = load_file(path)
    except SafetensorError as error:
        raise CheckpointError(f"{path}: torn adapter: {error}") from error
    return tensors


def _check_pairs(folder: Path, sides: dict[str, dict[str, torch.Tensor]], rank: int) -> None:
    for module, pair in sides.items():
        if set(pair) != {"A", "B"}:
            missing = "B" if "A" in pair else "A"
            raise CheckpointError(f"{folder / WEIGHTS}: partial adapter: {module} has no lora_{missing}")
        if pair["A"].shape[0] != rank or pair["B"].shape[1] != rank:
            raise CheckpointError(f"{folder / WEIGHTS}: {module} does not have the rank {rank} of {SETTINGS}")
    targets = json.loads((folder / SETTINGS).read_text()).get("target_modules")
    absent = [
        target
        for target in (targets if isinstance(targets, list) else [])
        if not any(f".{module}".endswith(f".{target}") for module in sides)
    ]
    if absent:
        raise CheckpointError(f"{folder / WEIGHTS}: partial adapter: no weights for {', '.join(sorted(absent))}")
    layers = {(module, found.group(1)) for module in sides if (found := re.search(r"\.layers\.(\d+)\.", module))}
    counts: dict[str, int] = {}
    for _, layer in layers:
        counts[layer] = counts.get(layer, 0) + 1
    if counts and max(counts.values()) != min(counts.values()):
        short = min(counts, key=lambda layer: counts[layer])
        raise CheckpointError(f"{folder / WEIGHTS}: partial adapter: layer {short} has fewer weights than the others")


def load_adapted(base: str, folder: Path, revision: str | None = None) -> Any:
    """The base model with the adapter on it, in float32. Raises CheckpointError where the two do not fit."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    check_adapter(folder)
    model = AutoModelForCausalLM.from_pretrained(base, revision=revision, dtype=torch.float32)
    try:
        return PeftModel.from_pretrained(model, str(folder)).eval()
    except (RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise CheckpointError(f"{folder}: this adapter does not fit the model {base}: {reason}") from error


def logit_difference(left: Any, right: Any, token_ids: Sequence[int]) -> float:
    """The largest difference of the two models' logits over a sequence, without dropout."""
    ids = torch.tensor([list(token_ids)])
    modes = [model.training for model in (left, right)]
    with torch.no_grad():
        one, other = (model.eval()(input_ids=ids, use_cache=False).logits.float() for model in (left, right))
    for model, mode in zip((left, right), modes, strict=True):
        model.train(mode)
    return float((one - other).abs().max())


def reload_difference(
    in_memory: Any, base: str, folder: Path, token_ids: Sequence[int], revision: str | None = None
) -> float:
    """Reload the adapter and compare its logits with the model in memory; returns the largest difference.

    Raises CheckpointError where it exceeds RELOAD_TOLERANCE.
    """
    difference = logit_difference(in_memory, load_adapted(base, folder, revision), token_ids)
    if not difference <= RELOAD_TOLERANCE:
        raise CheckpointError(
            f"{folder}: reloaded, its logits differ from the trained model's by {difference:.3g}, expected at most "
            f"{RELOAD_TOLERANCE:g}; it was not saved as it was trained"
        )
    return difference


def merge(
    base: str, folder: Path, target: Path, token_ids: Sequence[int] = (1, 2, 3, 4), revision: str | None = None
) -> float:
    """Write the base model with the adapter merged into its weights to `target`; returns the logits' difference.

    Raises CheckpointError where the merged model's logits differ by more than MERGE_TOLERANCE, or it cannot be written.
    """
    from transformers import AutoTokenizer

    adapted = load_adapted(base, folder, revision)
    ids = torch.tensor([list(token_ids)])
    with torch.no_grad():
        before = adapted(input_ids=ids, use_cache=False).logits.float()
        merged = adapted.merge_and_unload()
        difference = float((merged(input_ids=ids, use_cache=False).logits.float() - before).abs().max())
    if not difference <= MERGE_TOLERANCE:
        raise CheckpointError(
            f"{folder}: merged, its logits differ by {difference:.3g}, expected at most {MERGE_TOLERANCE:g}"
        )
    partial = target.with_name(f".{target.name}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        merged.save_pretrained(str(partial))
        AutoTokenizer.from_pretrained(str(folder)).save_pretrained(str(partial))
        for name in ("README.md",):
            if (folder / name).exists():
                shutil.copy(folder / name, partial / name)
        os.replace(partial, target)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise CheckpointError(explain_write(str(target), "merged model", error)) from error
    return difference


def export(folder: Path, target: Path, scores: dict[str, float]) -> Path:
    """Copy a finished adapter or student to `target` in Hugging Face form, its card extended by `scores`.

    Raises CheckpointError where an adapter is empty or partial, or `target` exists or cannot be written.
    """
    if (folder / SETTINGS).exists():
        check_adapter(folder)
    if target.exists():
        raise CheckpointError(f"{target}: exists already, expected a folder to create")
    partial = target.with_name(f".{target.name}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(folder, partial)
        card = (partial / "README.md").read_text()
        table = "".join(f"| {name} | {value:.4g} |\n" for name, value in scores.items())
        (partial / "README.md").write_text(f"{card}\n## Scores\n\n| cell | score |\n|---|---|\n{table}")
        os.replace(partial, target)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise CheckpointError(explain_write(str(target), "export", error)) from error
    return target
