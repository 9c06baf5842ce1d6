"""The sizes that the documentation gives are those of real files."""

from pathlib import Path

import numpy as np
import pytest

from agentdistill.config.retriever import IndexConfig
from agentdistill.retrieval.fill import fill_index
from agentdistill.retrieval.sizing import index_bytes
from agentdistill.retrieval.vectors import VectorShards

COUNT, DIMENSION = 4000, 64
WIKIPEDIA = (21_015_324, 768)
DOCUMENT = Path(__file__).parents[3] / "docs" / "retriever.md"


@pytest.fixture(scope="module")
def vectors(tmp_path_factory):
    shards = VectorShards(tmp_path_factory.mktemp("vectors"), COUNT, COUNT)
    shards.write(0, np.random.default_rng(0).standard_normal((COUNT, DIMENSION), np.float32))
    return shards


@pytest.mark.parametrize("kind", ["flat", "flat_fp16", "ivf", "ivf_pq", "hnsw", "sq8"])
def test_the_computed_size_is_the_files(vectors, tmp_path, kind):
    config = IndexConfig(kind=kind, pq_bytes=16)
    fill_index(vectors, tmp_path / "i", kind, config, 0, COUNT, lambda *_: None)
    assert index_bytes(kind, COUNT, DIMENSION, config) == pytest.approx((tmp_path / "i").stat().st_size, rel=0.01)


@pytest.mark.parametrize("kind", ["flat", "flat_fp16", "ivf", "ivf_pq", "hnsw", "sq8"])
def test_the_sizing_table_says_what_is_computed(kind):
    rows = [line for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if line.startswith(f"| `{kind}` |")]
    assert f"| {index_bytes(kind, *WIKIPEDIA) / 1e9:.1f} |" in rows[-1]


def test_a_kind_without_vectors_has_no_such_size():
    with pytest.raises(ValueError, match="bm25"):
        index_bytes("bm25", COUNT, DIMENSION)
