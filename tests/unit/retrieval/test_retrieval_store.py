"""The passage store gives each row back by number, and refuses what is not a corpus."""

import pyarrow as pa
import pytest

from agentdistill.errors import DataError
from agentdistill.retrieval.corpus import BATCH_ROWS, PASSAGES
from agentdistill.retrieval.store import PassageStore, write_passages

COUNT = 2 * BATCH_ROWS + 10


def batches(rows, size):
    for start in range(0, len(rows), size):
        part = rows[start : start + size]
        yield pa.record_batch([pa.array(column, pa.string()) for column in zip(*part, strict=True)], schema=PASSAGES)


def rows(count):
    return [(str(i), f"title {i}", f"text é {i}") for i in range(count)]


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    path = tmp_path_factory.mktemp("store") / "passages.arrow"
    write_passages(batches(rows(COUNT), 1000), path)
    return path


def test_rows_come_back_by_number_in_the_order_asked_for(stored):
    asked = [COUNT - 1, 0, BATCH_ROWS, BATCH_ROWS - 1]
    assert PassageStore(stored).fetch(asked) == [rows(COUNT)[i] for i in asked]


def test_a_scan_gives_a_range_across_batches(stored):
    start, stop = BATCH_ROWS - 3, 2 * BATCH_ROWS + 3
    assert list(PassageStore(stored).scan(start, stop)) == rows(COUNT)[start:stop]


def test_the_checksum_is_of_the_contents_not_of_the_batches(tmp_path):
    first = write_passages(batches(rows(5000), 7), tmp_path / "a")
    second = write_passages(batches(rows(5000), 4999), tmp_path / "b")
    assert first == second


def test_another_text_has_another_checksum(tmp_path):
    changed = rows(10)
    changed[3] = ("3", "title 3", "text è 3")
    first = write_passages(batches(rows(10), 10), tmp_path / "a")
    assert write_passages(batches(changed, 10), tmp_path / "b") != first


def test_an_empty_corpus_is_refused(tmp_path):
    with pytest.raises(DataError, match="the corpus is empty"):
        write_passages(iter([]), tmp_path / "a")


def test_duplicate_ids_are_refused_with_both_rows(tmp_path):
    doubled = rows(BATCH_ROWS + 5)
    doubled[BATCH_ROWS + 1] = ("2", "t", "x")
    with pytest.raises(DataError, match=f"rows 3 and {BATCH_ROWS + 2}: both have the id '2'"):
        write_passages(batches(doubled, 100), tmp_path / "a")


def test_a_torn_store_is_refused(stored, tmp_path):
    (tmp_path / "a").write_bytes(stored.read_bytes()[:-100])
    with pytest.raises(DataError, match="not a complete file of passages"):
        PassageStore(tmp_path / "a")
