"""Corpora of every form are read as the same passages, and a broken row is named."""

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from retrieval_rows import Row

from agentdistill.errors import DataError
from agentdistill.retrieval.corpus import BATCH_ROWS, Columns, contents, read_corpus, split_contents

ROWS = [("a", "Oslo", "Oslo is a city."), ("b", "Bern", "Bern is a city."), ("c", "", "A text without a title.")]


def read(source, columns=None):
    return [tuple(row.values()) for batch in read_corpus(source, columns) for row in batch.to_pylist()]


def write_lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def named(rows):
    return [dict(zip(("id", "title", "text"), row, strict=True)) for row in rows]


def test_json_lines_give_their_passages(tmp_path):
    assert read(write_lines(tmp_path / "c.jsonl", named(ROWS))) == ROWS


def test_compressed_json_lines_give_their_passages(tmp_path):
    path = tmp_path / "c.jsonl.gz"
    with gzip.open(path, "wt") as out:
        out.writelines(json.dumps(row) + "\n" for row in named(ROWS))
    assert read(str(path)) == ROWS


def test_search_r1_contents_are_split_into_title_and_text(tmp_path):
    path = write_lines(tmp_path / "wiki.jsonl", [{"id": "0", "contents": '"Oslo"\nOslo is a city.\nIt is old.'}])
    assert read(path) == [("0", "Oslo", "Oslo is a city.\nIt is old.")]


def test_contents_and_split_contents_are_inverse():
    assert split_contents(contents("Oslo", "A city.\nOld.")) == ("Oslo", "A city.\nOld.")
    assert split_contents("one line") == ("", "one line")


def test_parquet_gives_its_passages(tmp_path):
    pq.write_table(pa.Table.from_pylist(named(ROWS)), tmp_path / "c.parquet")
    assert read(str(tmp_path / "c.parquet")) == ROWS


def test_parquet_with_contents_and_numeric_ids(tmp_path):
    table = pa.table({"id": [7], "contents": ['"Oslo"\nA city.']})
    pq.write_table(table, tmp_path / "c.parquet")
    assert read(str(tmp_path / "c.parquet")) == [("7", "Oslo", "A city.")]


def test_a_folder_is_read_file_by_file_in_order(tmp_path):
    write_lines(tmp_path / "1.jsonl", named(ROWS[:1]))
    pq.write_table(pa.Table.from_pylist(named(ROWS[1:])), tmp_path / "2.parquet")
    assert read(str(tmp_path)) == ROWS


def test_a_saved_hugging_face_dataset_is_read(tmp_path):
    datasets = pytest.importorskip("datasets")
    datasets.Dataset.from_list(named(ROWS)).save_to_disk(str(tmp_path / "saved"))
    assert read(f"hub:{tmp_path / 'saved'}") == ROWS


def test_rows_in_memory_are_read_by_attribute():
    assert read(Row(*row) for row in ROWS) == ROWS


def test_other_column_names_can_be_given(tmp_path):
    path = write_lines(tmp_path / "c.jsonl", [{"key": 1, "name": "Oslo", "body": "A city."}])
    assert read(path, Columns("key", "name", "body")) == [("1", "Oslo", "A city.")]


def test_batches_are_bounded():
    rows = (Row(str(i), "t", "x") for i in range(BATCH_ROWS + 5))
    assert [batch.num_rows for batch in read_corpus(rows)] == [BATCH_ROWS, 5]


def test_reading_is_a_stream():
    def endless():
        number = 0
        while True:
            yield Row(str(number), "t", "x")
            number += 1

    assert next(iter(read_corpus(endless()))).num_rows == BATCH_ROWS


def test_lone_surrogates_in_json_become_text(tmp_path):
    (tmp_path / "c.jsonl").write_text('{"id": "a", "title": "t", "text": "x \\ud800 y"}\n')
    assert read(str(tmp_path / "c.jsonl")) == [("a", "t", "x ? y")]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("{broken", "line 2: not valid JSON"),
        ("[1]", "line 2: found a JSON list, expected one object"),
        ('{"title": "t", "text": "x"}', "line 2: the field 'id' is None"),
        ('{"id": "", "text": "x"}', "line 2: the field 'id' is ''"),
        ('{"id": "b", "title": "t"}', "line 2: the field 'text' is None"),
        ('{"id": "b", "text": "  "}', "line 2: the field 'text' is '  '"),
        ('{"id": "b", "text": 3}', "line 2: the field 'text' is 3"),
        ('{"id": "b", "text": "x", "title": 3}', "line 2: the field 'title' is 3"),
    ],
)
def test_a_bad_line_is_named(tmp_path, line, expected):
    path = tmp_path / "c.jsonl"
    path.write_text('{"id": "a", "text": "x"}\n' + line + "\n")
    with pytest.raises(DataError, match=r"c\.jsonl") as caught:
        read(str(path))
    assert expected in str(caught.value)


def test_a_bad_row_in_memory_is_named():
    with pytest.raises(DataError, match="row 2: the field 'text'"):
        read([Row("a", "t", "x"), Row("b", "t", "")])


@pytest.mark.parametrize("column", ["id", "text"])
def test_an_empty_value_in_parquet_is_named(tmp_path, column):
    rows = named(ROWS)
    rows[1][column] = None
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "c.parquet")
    with pytest.raises(DataError, match=rf"row 2: the column '{column}' is empty"):
        read(str(tmp_path / "c.parquet"))


def test_a_parquet_file_without_text_says_what_it_has(tmp_path):
    pq.write_table(pa.table({"id": ["a"], "body": ["x"]}), tmp_path / "c.parquet")
    with pytest.raises(DataError, match=r"expected the columns 'id' and 'text'.*found body, id"):
        read(str(tmp_path / "c.parquet"))


def test_a_truncated_parquet_file_is_named(tmp_path):
    path = tmp_path / "c.parquet"
    pq.write_table(pa.Table.from_pylist(named(ROWS)), path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"c\.parquet: not a complete Parquet file"):
        read(str(path))


def test_a_truncated_gzip_file_is_named(tmp_path):
    path = tmp_path / "c.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"id": "a", "text": "x"}\n' * 1000)[:-20])
    with pytest.raises(DataError, match="cannot read this file"):
        read(str(path))


def test_a_missing_corpus_is_named(tmp_path):
    with pytest.raises(DataError, match="there is no such corpus"):
        read(str(tmp_path / "none.jsonl"))


def test_a_folder_without_corpus_files_is_named(tmp_path):
    with pytest.raises(DataError, match="neither"):
        read(str(tmp_path))
