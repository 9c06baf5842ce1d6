"""A copy of a model with a LoRA adapter merged into its weights, for engines that are slow with the two apart.

On CPU vLLM gathers one copy of the adapter for every token that it computes (`vllm/lora/ops/torch_ops/lora_ops.py`),
which takes more time and memory than the model itself.
"""

from __future__ import annotations

import gc
import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from agentdistill.errors import EngineError
from agentdistill.models import cache_folder

_TOKENIZER = "tokenizer_config.json"


def merged_copy(model: str, adapter: str, revision: str | None = None) -> str:
    """Return the folder of a resolved model (a folder, or a hub id) with the adapter merged; made once, then kept.

    Weights are float32. Raises EngineError where the adapter is missing, torn, or made for another model.
    """
    folder = Path(adapter)
    if not (folder / "adapter_config.json").exists():
        raise EngineError(f"adapter {adapter}: no adapter_config.json there, expected a LoRA adapter's folder")
    target = cache_folder() / "merged" / f"{Path(model).name}-{_fingerprint(model, revision, folder)}"
    if not (target / "config.json").exists():
        try:
            _write(model, revision, folder, target)
        except (RuntimeError, ValueError, KeyError) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise EngineError(f"adapter {adapter}: cannot be merged into {model}: {reason}") from error
        gc.collect()  # the engine's own weights come next
    return str(target)


def _fingerprint(model: str, revision: str | None, adapter: Path) -> str:
    """Changes when model or adapter is another one, or one of their files was written anew."""
    own = Path(model).glob("*.safetensors") if Path(model).is_dir() else ()
    stats = [(str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in [*own, *adapter.iterdir()]]
    return hashlib.sha256(repr((model, revision, sorted(stats))).encode()).hexdigest()[:12]


def _write(model: str, revision: str | None, adapter: Path, target: Path) -> None:
    import torch
    from peft import PeftModel
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM, AutoTokenizer

    base = AutoModelForCausalLM.from_pretrained(model, revision=revision, dtype=torch.float32)
    try:
        merged = PeftModel.from_pretrained(base, str(adapter)).merge_and_unload()
    except SafetensorError as error:
        raise EngineError(f"adapter {adapter}: torn weights: {error}") from error
    owner = str(adapter) if (adapter / _TOKENIZER).exists() else model
    tokenizer = AutoTokenizer.from_pretrained(owner, revision=revision)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        merged.save_pretrained(partial)
        tokenizer.save_pretrained(partial)
        # Somebody else may have made it meanwhile: then theirs is as good.
        if not target.exists():
            os.replace(partial, target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
