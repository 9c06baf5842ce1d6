"""An index file that somebody else built, opened as it is: checked against corpus and encoder, not copied."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from agentdistill.errors import DataError
from agentdistill.retrieval.corpus import contents
from agentdistill.retrieval.dense import DenseIndex
from agentdistill.retrieval.encoder import Encoder, EncoderSpec
from agentdistill.retrieval.manifest import ShardInfo
from agentdistill.retrieval.store import PassageStore

if TYPE_CHECKING:
    from agentdistill.config.retriever import RetrieverConfig

SAMPLE_ROWS = 8
#: Half precision and another library's tokenizer settings stay above this; another model or another passage does not.
MIN_COSINE = 0.9


def adopt_index(config: RetrieverConfig, spec: EncoderSpec, passages: Path) -> tuple[ShardInfo, int]:
    """Return the file as the index's one shard, and its dimension.

    Raises DataError where it has not one vector a passage, not the encoder's dimension, or (where the index can give
    its vectors back) vectors that this encoder does not make from these passages.
    """
    assert config.index.file is not None
    path = Path(config.index.file).expanduser().resolve()
    index, store = DenseIndex(path, config.index), PassageStore(passages)
    if index.count != len(store):
        raise DataError(
            f"{path}: {index.count} vectors, the corpus has {len(store)} passages; they do not belong together"
        )
    encoder = Encoder(spec, config.encoder)
    if index.dimension != encoder.dimension:
        raise DataError(
            f"{path}: vectors of {index.dimension} dimensions, the encoder {spec.model} makes {encoder.dimension}"
        )
    _compare_sample(path, index, store, encoder)
    return ShardInfo(str(path), 0, index.count), index.dimension


def _compare_sample(path: Path, index: DenseIndex, store: PassageStore, encoder: Encoder) -> None:
    rows = np.linspace(0, len(store) - 1, min(SAMPLE_ROWS, len(store))).astype(int).tolist()
    held = [index.reconstruct(row) for row in rows]
    if any(vector is None for vector in held):
        return
    made = encoder.encode_passages([contents(title, text) for _, title, text in store.fetch(rows)])
    kept = np.stack([vector for vector in held if vector is not None])
    norms = np.linalg.norm(made, axis=1) * np.linalg.norm(kept, axis=1)
    cosine = float(np.median((made * kept).sum(axis=1) / np.maximum(norms, 1e-9)))
    if cosine < MIN_COSINE:
        raise DataError(
            f"{path}: its vectors are not what the encoder {encoder.spec.model} makes from this corpus (cosine "
            f"{cosine:.2f}, expected at least {MIN_COSINE}): another encoder, other prefixes, or another corpus"
        )
