"""Every FAISS kind is filled by chunk, opened and asked in the same way."""

import numpy as np
import pytest

from agentdistill.config.retriever import IndexConfig
from agentdistill.errors import DataError, UserError
from agentdistill.retrieval import dense
from agentdistill.retrieval.fill import exact_search, fill_index
from agentdistill.retrieval.hits import merge_top_k, recall
from agentdistill.retrieval.vectors import VectorShards

COUNT, DIMENSION = 3000, 32
KINDS = ("flat", "flat_fp16", "ivf", "ivf_pq", "hnsw", "sq8")


def silent(*_):
    pass


@pytest.fixture(scope="module")
def vectors(tmp_path_factory):
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(40, DIMENSION))
    points = centres[rng.integers(40, size=COUNT)] + 0.4 * rng.normal(size=(COUNT, DIMENSION))
    points = (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)
    shards = VectorShards(tmp_path_factory.mktemp("vectors"), COUNT, 700)
    for shard in range(shards.num_shards):
        shards.write(shard, points[slice(*shards.rows(shard))])
    return shards


@pytest.fixture(scope="module")
def queries(vectors):
    noise = 0.02 * np.random.default_rng(1).normal(size=(50, DIMENSION))
    sample = vectors.sample(50, np.random.default_rng(2)) + noise
    return (sample / np.linalg.norm(sample, axis=1, keepdims=True)).astype(np.float32)


def build(vectors, path, kind, start=0, stop=COUNT, **settings):
    config = IndexConfig(kind=kind, pq_bytes=8, **settings)
    fill_index(vectors, path, kind, config, start, stop, silent)
    return dense.DenseIndex(path, config, start)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_finds_what_exact_search_finds(vectors, queries, tmp_path, kind):
    index = build(vectors, tmp_path / "i.faiss", kind)
    assert index.count == COUNT
    assert index.dimension == DIMENSION
    found = recall(index.search(queries, 3), exact_search(vectors, queries, 3))
    assert found >= (0.5 if kind == "ivf_pq" else 0.95)


@pytest.mark.parametrize("kind", ["flat", "ivf", "hnsw"])
def test_a_mapped_index_answers_as_one_in_memory(vectors, queries, tmp_path, kind):
    mapped = build(vectors, tmp_path / "i.faiss", kind)
    held = dense.DenseIndex(tmp_path / "i.faiss", IndexConfig(memory_map=False))
    np.testing.assert_array_equal(mapped.search(queries, 5).rows, held.search(queries, 5).rows)


def test_shards_merged_answer_as_one_index(vectors, queries, tmp_path):
    whole = build(vectors, tmp_path / "i.faiss", "flat").search(queries, 4)
    parts = [
        build(vectors, tmp_path / f"{start}.faiss", "flat", start, stop) for start, stop in ((0, 1100), (1100, COUNT))
    ]
    merged = merge_top_k([part.search(queries, 4) for part in parts], 4)
    np.testing.assert_array_equal(merged.rows, whole.rows)


def test_filling_lists_in_place_equals_adding_at_once(vectors, queries, tmp_path):
    import faiss

    index = build(vectors, tmp_path / "i.faiss", "ivf", nlist=16, nprobe=3)
    plain = faiss.read_index(str(tmp_path / "i.faiss"))
    plain.reset()
    plain.add(np.concatenate(list(vectors.chunks(COUNT))))
    plain.nprobe = 3
    np.testing.assert_array_equal(index.search(queries, 3).rows, plain.search(queries, 3)[1])


def test_exact_search_is_a_full_scan(vectors, queries):
    everything = np.concatenate(list(vectors.chunks(COUNT)))
    expected = np.argsort(-(queries @ everything.T), axis=1)[:, :3]
    np.testing.assert_array_equal(exact_search(vectors, queries, 3).rows, expected)


def test_k_beyond_the_index_leaves_places_empty(vectors, queries, tmp_path):
    index = build(vectors, tmp_path / "i.faiss", "flat", 0, 5)
    found = index.search(queries, 8)
    assert (found.rows[:, :5] >= 0).all()
    assert (found.rows[:, 5:] == -1).all()


def test_hnsw_gives_k_hits_where_k_exceeds_ef_search(vectors, queries, tmp_path):
    assert (build(vectors, tmp_path / "i.faiss", "hnsw", ef_search=4).search(queries, 50).rows >= 0).all()


def test_an_index_of_distances_is_ordered_best_first(vectors, queries, tmp_path):
    import faiss

    index = faiss.IndexFlatL2(DIMENSION)
    index.add(np.concatenate(list(vectors.chunks(COUNT))))
    faiss.write_index(index, str(tmp_path / "l2.faiss"))
    found = dense.DenseIndex(tmp_path / "l2.faiss", IndexConfig()).search(queries, 3)
    np.testing.assert_array_equal(found.rows, exact_search(vectors, queries, 3).rows)
    assert (np.diff(found.scores, axis=1) <= 0).all()


@pytest.mark.parametrize("memory_map", [True, False])
@pytest.mark.parametrize("kind", ["flat", "ivf", "hnsw"])
def test_a_truncated_index_file_is_named(vectors, tmp_path, kind, memory_map):
    path = tmp_path / "i.faiss"
    build(vectors, path, kind)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match=r"i\.faiss: not a complete FAISS index"):
        dense.DenseIndex(path, IndexConfig(memory_map=memory_map))


def test_a_missing_index_file_is_named(tmp_path):
    with pytest.raises(DataError, match="there is no such index file"):
        dense.DenseIndex(tmp_path / "none.faiss", IndexConfig())


@pytest.mark.parametrize(
    ("kind", "count", "settings", "expected"),
    [
        ("ivf", 10, {"nlist": 11}, "index.nlist is 11, expected at most the number of passages"),
        ("ivf_pq", 1000, {"pq_bytes": 5}, "index.pq_bytes is 5, expected a divisor of the dimension"),
        ("ivf_pq", 10, {"pq_bytes": 8}, "expected at least 256 passages"),
    ],
)
def test_settings_that_do_not_fit_the_corpus_are_named(kind, count, settings, expected):
    with pytest.raises(UserError, match=expected):
        dense.make_index(kind, DIMENSION, count, IndexConfig(kind=kind, **settings))


def test_the_number_of_lists_grows_with_the_corpus():
    config = IndexConfig(train_sample=1_000_000)
    assert dense.choose_nlist(config, 10) == 1
    assert dense.choose_nlist(config, 1_000_000) == 4000
    assert dense.choose_nlist(IndexConfig(nlist=7), 1_000_000) == 7


def test_a_vector_shard_of_the_wrong_length_is_refused(tmp_path):
    with pytest.raises(DataError, match="3 vectors for 4 passages"):
        VectorShards(tmp_path, 4, 10).write(0, np.zeros((3, 2), np.float32))


def test_shards_that_are_written_are_not_missing(tmp_path):
    shards = VectorShards(tmp_path, 25, 10)
    shards.write(1, np.zeros((10, 2), np.float32))
    assert shards.missing() == [0, 2]
