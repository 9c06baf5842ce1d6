"""Encoding a corpus on Ray Data gives the same index, and only what is missing is encoded."""

import os
import tempfile

import numpy as np
import pytest
from retrieval_rows import Row

from agentdistill.config.retriever import IndexConfig, RetrieverConfig
from agentdistill.retrieval.build import build_index
from agentdistill.retrieval.corpus import contents, read_corpus
from agentdistill.retrieval.encode import encode_corpus
from agentdistill.retrieval.encoder import resolve_encoder
from agentdistill.retrieval.local import open_index
from agentdistill.retrieval.store import write_passages
from agentdistill.retrieval.vectors import VectorShards

pytestmark = [pytest.mark.ray, pytest.mark.timeout(900)]


ROWS = [Row(str(i), f"City {i}", f"City {i} lies by the river {i * 7}.") for i in range(50)]
CONFIG = RetrieverConfig(encode_actors=2, index=IndexConfig(shard_rows=20, recall_queries=5))


@pytest.fixture(scope="module", autouse=True)
def cluster():
    import ray

    folder = tempfile.mkdtemp(prefix="ad", dir="/tmp")
    ray.init(num_cpus=2, include_dashboard=False, _temp_dir=folder, logging_level="warning", log_to_driver=False)
    yield
    ray.shutdown()


def test_the_job_writes_the_vectors_that_one_process_writes(tmp_path):
    passages = tmp_path / "passages.arrow"
    write_passages(read_corpus(ROWS), passages)
    spec = resolve_encoder(CONFIG.encoder)
    made = []
    for name, config in (("ray", CONFIG), ("here", RetrieverConfig(index=CONFIG.index))):
        vectors = VectorShards(tmp_path / name, len(ROWS), CONFIG.index.shard_rows)
        encode_corpus(vectors, passages, spec, config, lambda *_: None)
        made.append(np.concatenate([*vectors.chunks(100), vectors.read_queries()]))
    np.testing.assert_allclose(made[0], made[1], atol=1e-5)


def test_shards_that_are_there_are_not_encoded_again(tmp_path):
    passages = tmp_path / "passages.arrow"
    write_passages(read_corpus(ROWS), passages)
    vectors = VectorShards(tmp_path / "vectors", len(ROWS), CONFIG.index.shard_rows)
    kept = np.full((20, 384), 7, np.float32)
    vectors.write(1, kept)
    counts = []
    encode_corpus(vectors, passages, resolve_encoder(CONFIG.encoder), CONFIG, lambda _, done, __: counts.append(done))
    assert counts[0] == 20
    assert counts[-1] == 50
    np.testing.assert_array_equal(np.load(vectors.path(1)), kept)
    assert vectors.missing() == []


def test_an_index_built_on_ray_answers(tmp_path):
    build_index(CONFIG, ROWS, tmp_path / "index")
    assert os.listdir(tmp_path) == ["index"]
    opened = open_index(tmp_path / "index")
    assert opened.search([contents(ROWS[31].title, ROWS[31].text)], 1)[0][0].title == "City 31"
    opened.close()
