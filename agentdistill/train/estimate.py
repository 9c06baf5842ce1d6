"""How much GPU memory training takes, by ZeRO stage: derived from the model's shape, not measured.

Bytes of states per trained parameter follow the ZeRO paper (arXiv 1910.02054, section 3) with float32 weights and
AdamW: 4 weight, 4 gradient, 8 moments. Frozen weights are bfloat16. Activations are counted for bfloat16 products,
attention without a stored square, and the chunked loss.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from agentdistill.config.train import TrainConfig
from agentdistill.errors import ConfigError

GIB = 2**30

#: Memory of one GPU, GiB as the driver reports it, rounded down.
GPUS = {"L4 24 GB": 22.0, "A100 40 GB": 39.0, "A100 80 GB": 79.0, "H100 80 GB": 79.0, "H200 141 GB": 139.0}

#: The part of a GPU that the CUDA context, NCCL and fragmentation take.
RESERVED = 0.08
#: Largest number of bytes that the float32 logits of one chunk of the loss take.
CHUNK_BYTES = 128 * 2**20
#: ZeRO-3 holds gathered weights for about so many layers at a time.
GATHERED_LAYERS = 2


@dataclass(frozen=True, slots=True)
class Shape:
    """The dimensions of a decoder."""

    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    vocabulary: int
    tied: bool

    @property
    def linear_shapes(self) -> tuple[tuple[int, int], ...]:
        """(inputs, outputs) of each linear layer of one decoder layer."""
        queries, keys = self.heads * self.head_dim, self.kv_heads * self.head_dim
        mlp = ((self.hidden, self.intermediate), (self.hidden, self.intermediate), (self.intermediate, self.hidden))
        return ((self.hidden, queries), (self.hidden, keys), (self.hidden, keys), (queries, self.hidden), *mlp)

    @property
    def layer_parameters(self) -> int:
        return sum(inputs * outputs for inputs, outputs in self.linear_shapes) + 2 * self.hidden

    @property
    def parameters(self) -> int:
        embeddings = self.vocabulary * self.hidden * (1 if self.tied else 2)
        return self.layers * self.layer_parameters + embeddings + self.hidden

    def lora_parameters(self, rank: int) -> int:
        return self.layers * sum(rank * (inputs + outputs) for inputs, outputs in self.linear_shapes)


_QWEN_0_5B = Shape(896, 24, 14, 2, 64, 4864, 151_936, True)
_QWEN_1_5B = Shape(1536, 28, 12, 2, 128, 8960, 151_936, True)
_QWEN_3B = Shape(2048, 36, 16, 2, 128, 11_008, 151_936, True)
_QWEN_7B = Shape(3584, 28, 28, 4, 128, 18_944, 152_064, False)

#: Published shapes of the paper's students and teacher, so that an estimate needs no download.
KNOWN = {
    "qwen/qwen2.5-0.5b-instruct": _QWEN_0_5B,
    "qwen/qwen2.5-1.5b-instruct": _QWEN_1_5B,
    "qwen/qwen2.5-3b-instruct": _QWEN_3B,
    "qwen/qwen2.5-7b-instruct": _QWEN_7B,
    "qwen/qwen2.5-32b-instruct": Shape(5120, 64, 40, 8, 128, 27_648, 152_064, False),
    "qwen/qwen2.5-coder-0.5b-instruct": _QWEN_0_5B,
    "qwen/qwen2.5-coder-1.5b-instruct": _QWEN_1_5B,
    "qwen/qwen2.5-coder-3b-instruct": _QWEN_3B,
    "qwen/qwen2.5-coder-7b-instruct": _QWEN_7B,
    "meta-llama/llama-3.2-1b-instruct": Shape(2048, 16, 32, 8, 64, 8192, 128_256, True),
    "microsoft/phi-4-mini-instruct": Shape(3072, 32, 24, 8, 128, 8192, 200_064, True),
}


@dataclass(frozen=True, slots=True)
class MemoryEstimate:
    """Memory of one GPU in one setting, GiB. Derived, not measured."""

    zero_stage: int
    workers: int
    weights_gb: float
    gradients_gb: float
    optimizer_gb: float
    activations_gb: float
    loss_gb: float
    fits: tuple[str, ...]  # names of GPUS that hold the total

    @property
    def total_gb(self) -> float:
        parts = (self.weights_gb, self.gradients_gb, self.optimizer_gb, self.activations_gb, self.loss_gb)
        return sum(parts)


def estimate(config: TrainConfig, shape: Shape | None = None) -> list[MemoryEstimate]:
    """Return one estimate per ZeRO stage for the configured model (or `shape`), rows, LoRA and workers.

    Raises ConfigError where the model's shape is not known and its config.json cannot be read.
    """
    shape = shape or model_shape(config)
    return [_estimate(config, shape, stage) for stage in (0, 1, 2, 3)]


def model_shape(config: TrainConfig) -> Shape:
    """The configured model's shape: a known one, or read from its config.json."""
    from agentdistill import models

    folder = models.resolve(config.model)
    known = KNOWN.get(folder.lower())
    if known is not None and not Path(folder).is_dir():
        return known
    from agentdistill.train.data.tokenizer import load_model_config

    return _shape_of(load_model_config(folder, config.revision).get_text_config(), folder)


def _shape_of(settings: Any, folder: str) -> Shape:
    try:
        heads = int(settings.num_attention_heads)
        return Shape(
            hidden=int(settings.hidden_size),
            layers=int(settings.num_hidden_layers),
            heads=heads,
            kv_heads=int(getattr(settings, "num_key_value_heads", None) or heads),
            head_dim=int(getattr(settings, "head_dim", None) or settings.hidden_size // heads),
            intermediate=int(settings.intermediate_size),
            vocabulary=int(settings.vocab_size),
            tied=bool(settings.tie_word_embeddings),
        )
    except (AttributeError, TypeError) as error:
        raise ConfigError(f"train.model = {folder}: its config.json lacks what an estimate needs: {error}") from error


def _estimate(config: TrainConfig, shape: Shape, stage: int) -> MemoryEstimate:
    workers, total = config.workers, shape.parameters
    trained = shape.lora_parameters(config.lora.r) if config.lora.enabled else total
    frozen_bytes = 2 * total if config.lora.enabled else 0
    split = {name: workers if stage >= least else 1 for name, least in (("opt", 1), ("grad", 2), ("weight", 3))}
    weights = (4 * trained + frozen_bytes) / split["weight"]
    if stage == 3:
        weights += GATHERED_LAYERS * shape.layer_parameters * (2 if config.lora.enabled else 4)
    optimizer = 0.0 if config.offload and stage else 8 * trained / split["opt"]
    row = config.row_tokens
    head = shape.vocabulary * shape.hidden
    # Logits, their copy, the weight in bfloat16, and the weight's float32 gradient where it is trained.
    loss = 2 * CHUNK_BYTES + 2 * head + (0 if config.lora.enabled else 4 * head)
    estimate = MemoryEstimate(
        zero_stage=stage,
        workers=workers,
        weights_gb=weights / GIB,
        gradients_gb=4 * trained / split["grad"] / GIB,
        optimizer_gb=optimizer / GIB,
        activations_gb=_activation_bytes(shape, row, config.gradient_checkpointing) / GIB,
        loss_gb=loss / GIB,
        fits=(),
    )
    fits = tuple(name for name, size in GPUS.items() if estimate.total_gb <= size * (1 - RESERVED))
    return replace(estimate, fits=fits)


def _activation_bytes(shape: Shape, tokens: int, checkpointing: bool) -> float:
    """Kept for the backward pass: every layer's inputs, or one float32 vector a layer and one layer in full."""
    queries = shape.heads * shape.head_dim
    keys = shape.kv_heads * shape.head_dim
    full = tokens * (4 * 4 * shape.hidden + 2 * (3 * queries + 2 * keys) + 2 * 4 * shape.intermediate)
    if not checkpointing:
        return float(shape.layers * full)
    return float(shape.layers * tokens * 4 * shape.hidden + full)
