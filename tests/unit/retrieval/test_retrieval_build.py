"""An index folder is built whole or not at all, goes on where it stopped, and is not built twice."""

import fcntl
import json
import os
import pickle

import pytest
from retrieval_rows import ROWS, Row

from agentdistill.config.retriever import EncoderConfig, IndexConfig, RetrieverConfig
from agentdistill.errors import DataError, MissingPartError, RunFolderError, UserError
from agentdistill.retrieval.build import build_index
from agentdistill.retrieval.local import open_index
from agentdistill.retrieval.manifest import read_manifest


def config(kind="bm25", **settings):
    return RetrieverConfig(index=IndexConfig(kind=kind, **settings))


def titles(folder, query, k=1):
    retriever = open_index(folder)
    try:
        return [passage.title for passage in retriever.search([query], k)[0]]
    finally:
        retriever.close()


def test_a_built_index_answers(tmp_path):
    info = build_index(config("flat"), ROWS, tmp_path / "index")
    assert (info.count, info.dimension, info.kind) == (12, 384, "flat")
    assert info.measured.recall == 1.0
    assert info.measured.build_s > 0
    assert info.measured.peak_memory_mb > 0
    assert titles(tmp_path / "index", "the city of Madrid") == ["Madrid"]


def test_hybrid_search_finds_by_word_and_by_meaning(tmp_path):
    build_index(config("hybrid", dense="hnsw"), ROWS, tmp_path / "index")
    assert titles(tmp_path / "index", "Graz") == ["Graz"]
    assert set(titles(tmp_path / "index", "capital of France", 4)) & {"Paris"}


def test_several_shards_answer_as_one(tmp_path):
    build_index(config("flat"), ROWS, tmp_path / "one")
    info = build_index(config("flat", shards=3, shard_rows=5), ROWS, tmp_path / "three")
    assert [shard.count for shard in info.shards] == [4, 4, 4]
    for query in ("Norway", "bridges of Rome"):
        assert titles(tmp_path / "three", query, 5) == titles(tmp_path / "one", query, 5)


def test_the_same_index_is_not_built_twice(tmp_path):
    build_index(config(), ROWS, tmp_path / "index")
    before = os.stat(tmp_path / "index" / "manifest.json")
    build_index(config(), ROWS, tmp_path / "index")
    after = os.stat(tmp_path / "index" / "manifest.json")
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert os.listdir(tmp_path) == ["index"]


def test_search_settings_do_not_build_again(tmp_path):
    first = build_index(config(ef_search=10), ROWS, tmp_path / "index")
    assert build_index(config(ef_search=20), ROWS, tmp_path / "index").key == first.key


def write_corpus(path, rows=ROWS):
    path.write_text("".join(json.dumps({"id": row.id, "title": row.title, "text": row.text}) + "\n" for row in rows))
    return str(path)


def test_an_index_that_is_there_is_known_by_its_corpus_file_without_reading_it(tmp_path):
    corpus = write_corpus(tmp_path / "corpus.jsonl")
    first = build_index(config(), corpus, tmp_path / "index")
    said = []
    again = build_index(config(), corpus, tmp_path / "index", lambda what, done, total: said.append(what))
    assert (again.key, said) == (first.key, [])
    assert not (tmp_path / "index.building").exists()


def test_a_corpus_file_that_changed_is_read_again(tmp_path):
    build_index(config(), write_corpus(tmp_path / "corpus.jsonl"), tmp_path / "index")
    assert build_index(config(), write_corpus(tmp_path / "corpus.jsonl", ROWS[:5]), tmp_path / "index").count == 5


@pytest.mark.parametrize("is_there", [False, True])
def test_a_corpus_of_another_size_than_expected_is_refused(tmp_path, is_there):
    corpus = write_corpus(tmp_path / "corpus.jsonl")
    if is_there:
        build_index(config(), corpus, tmp_path / "index")
    expecting = config()
    expecting.expected_passages = 13
    with pytest.raises(DataError, match=r"12 passages, retriever\.expected_passages says 13"):
        build_index(expecting, corpus, tmp_path / "index")
    expecting.expected_passages = 12
    assert build_index(expecting, corpus, tmp_path / "index").count == 12


def test_another_corpus_replaces_the_index(tmp_path):
    build_index(config(), ROWS, tmp_path / "index")
    assert build_index(config(), ROWS[:5], tmp_path / "index").count == 5
    assert read_manifest(tmp_path / "index").count == 5
    assert os.listdir(tmp_path) == ["index"]


def test_a_torn_index_is_built_again(tmp_path):
    build_index(config(), ROWS, tmp_path / "index")
    (tmp_path / "index" / "passages.arrow").write_bytes(b"torn")
    build_index(config(), ROWS, tmp_path / "index")
    assert titles(tmp_path / "index", "Vienna") == ["Vienna"]


class Stop(Exception):
    pass


def stop_at(what, number):
    seen = []

    def progress(step, done, total):
        seen.append(step)
        if seen.count(what) == number:
            raise Stop

    return progress


def test_an_interrupted_build_goes_on_at_the_shard_where_it_stopped(tmp_path):
    wanted = config("flat", shard_rows=4)
    with pytest.raises(Stop):
        build_index(wanted, ROWS, tmp_path / "index", stop_at("encoding passages", 3))
    assert not (tmp_path / "index").exists()
    kept = tmp_path / "index.building" / "vectors"
    written = {name: os.stat(kept / name).st_mtime_ns for name in sorted(os.listdir(kept))}
    assert list(written) == ["00000.npy", "00001.npy"]
    done = []
    build_index(wanted, ROWS, tmp_path / "index", lambda what, n, total: done.append((what, n)))
    assert next(step for step in done if step[0] == "encoding passages") == ("encoding passages", 8)
    assert titles(tmp_path / "index", "Basel") == ["Basel"]
    assert os.listdir(tmp_path) == ["index"]


def test_vectors_of_another_corpus_are_not_gone_on_with(tmp_path):
    with pytest.raises(Stop):
        build_index(config("flat", shard_rows=6), ROWS, tmp_path / "index", stop_at("encoding passages", 2))
    other = [Row(row.id, row.title[::-1], row.text[::-1]) for row in ROWS]
    build_index(config("flat", shard_rows=6), other, tmp_path / "index")
    assert titles(tmp_path / "index", contents_of(other[2])) == [other[2].title]


def contents_of(row):
    return f'"{row.title}"\n{row.text}'


def test_a_build_that_another_process_runs_is_refused(tmp_path):
    (tmp_path / "index.building").mkdir()
    held = os.open(tmp_path / "index.building", os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    try:
        with pytest.raises(RunFolderError, match="another process is building this index"):
            build_index(config(), ROWS, tmp_path / "index")
    finally:
        os.close(held)


def test_a_folder_with_something_else_is_left_alone(tmp_path):
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / "thesis.txt").write_text("mine")
    with pytest.raises(RunFolderError, match="something else than an index"):
        build_index(config(), ROWS, tmp_path / "index")
    assert (tmp_path / "index" / "thesis.txt").read_text() == "mine"


def test_a_bad_corpus_leaves_no_index(tmp_path):
    path = tmp_path / "c.jsonl"
    path.write_text('{"id": "a", "text": "x"}\n{"id": "a", "text": "y"}\n')
    with pytest.raises(DataError, match="rows 1 and 2: both have the id 'a'"):
        build_index(RetrieverConfig(corpus=str(path), index=IndexConfig(kind="bm25")), folder=tmp_path / "index")
    assert not (tmp_path / "index").exists()


def test_an_empty_corpus_is_refused(tmp_path):
    with pytest.raises(DataError, match="the corpus is empty"):
        build_index(config(), [], tmp_path / "index")


def test_an_encoder_that_is_nowhere_is_named(tmp_path):
    wanted = RetrieverConfig(encoder=EncoderConfig(model="./no-such-encoder"))
    with pytest.raises((MissingPartError, DataError), match="no-such-encoder"):
        build_index(wanted, ROWS, tmp_path / "index")


def test_settings_that_do_not_fit_are_named(tmp_path):
    with pytest.raises(UserError, match="expected at least 256 passages"):
        build_index(config("ivf_pq"), ROWS, tmp_path / "index")


@pytest.fixture(scope="module")
def file_of_vectors(tmp_path_factory):
    """A FAISS file that something else has made from ROWS."""
    folder = tmp_path_factory.mktemp("prebuilt")
    build_index(config("flat"), ROWS, folder / "index")
    return folder / "index" / "dense-000-of-001.faiss"


def test_a_pre_built_file_is_opened_as_it_is(tmp_path, file_of_vectors):
    info = build_index(config("flat", file=str(file_of_vectors)), ROWS, tmp_path / "index")
    assert info.shards[0].file == str(file_of_vectors)
    assert sorted(os.listdir(tmp_path / "index")) == ["manifest.json", "passages.arrow"]
    assert titles(tmp_path / "index", "Lyon") == ["Lyon"]


def test_a_pre_built_file_of_another_count_is_refused(tmp_path, file_of_vectors):
    with pytest.raises(DataError, match="12 vectors, the corpus has 5 passages"):
        build_index(config("flat", file=str(file_of_vectors)), ROWS[:5], tmp_path / "index")


def test_a_pre_built_file_of_another_corpus_is_refused(tmp_path, file_of_vectors):
    other = [Row(row.id, "x", f"entirely different words, {i} of them") for i, row in enumerate(ROWS)]
    with pytest.raises(DataError, match="its vectors are not what the encoder minilm makes from this corpus"):
        build_index(config("flat", file=str(file_of_vectors)), other, tmp_path / "index")


def test_a_pre_built_file_of_another_dimension_is_refused(tmp_path):
    import faiss
    import numpy as np

    index = faiss.IndexFlatIP(16)
    index.add(np.ones((12, 16), np.float32))
    faiss.write_index(index, str(tmp_path / "e5_Flat.index"))
    with pytest.raises(DataError, match="vectors of 16 dimensions, the encoder minilm makes 384"):
        build_index(config("flat", file=str(tmp_path / "e5_Flat.index")), ROWS, tmp_path / "index")


def test_the_manifest_is_readable_and_names_no_folder_of_this_machine(tmp_path):
    info = build_index(config("flat"), ROWS, tmp_path / "index")
    text = (tmp_path / "index" / "manifest.json").read_text()
    assert json.loads(text)["encoder"]["model"] == "minilm"
    assert str(tmp_path) not in text
    assert "site-packages" not in text
    assert read_manifest(tmp_path / "index") == info


def test_what_is_sent_to_workers_pickles(tmp_path):
    info = build_index(config(), ROWS, tmp_path / "index")
    assert pickle.loads(pickle.dumps(info)) == info
    assert pickle.loads(pickle.dumps(config())) == config()
