"""Rows of files and data sets, whoever asks for them."""

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from agentdistill.config import load
from agentdistill.errors import ConfigError, DataError
from agentdistill.rows import ending, json_lines, read_batches, read_rows, stem

ROWS = [{"id": "a", "text": "one"}, {"id": "b", "text": "two\u2028lines"}]


def lines(rows):
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


@pytest.mark.parametrize(
    ("name", "data", "unit"),
    [
        ("a.jsonl", lines(ROWS), "line"),
        ("a.ndjson", b"\xef\xbb\xbf" + lines(ROWS), "line"),
        ("a.jsonl.gz", gzip.compress(lines(ROWS), mtime=0), "line"),
        ("a.json", json.dumps(ROWS).encode(), "example"),
        ("a.json.gz", gzip.compress(json.dumps({"examples": ROWS}).encode(), mtime=0), "example"),
    ],
    ids=["jsonl", "ndjson", "jsonl.gz", "json", "json.gz"],
)
def test_every_form_gives_the_rows_and_where_they_stand(tmp_path, name, data, unit):
    path = tmp_path / name
    path.write_bytes(data)
    assert list(read_rows(str(path))) == [(f"{path}, {unit} {i}", row) for i, row in enumerate(ROWS, start=1)]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_csv_is_read_whatever_ends_its_lines(tmp_path, end):
    path = tmp_path / "a.csv"
    path.write_bytes(f'id,text{end}a,"one{end}more"{end}b,two{end}'.encode())
    found = dict(read_rows(str(path)))
    assert list(found.values()) == [{"id": "a", "text": f"one{end}more"}, {"id": "b", "text": "two"}]
    assert list(found) == [f"{path}, line 3", f"{path}, line 4"]


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv"])
def test_what_is_broken_further_on_does_not_keep_the_first_rows_back(tmp_path, name):
    path = tmp_path / name
    path.write_bytes((lines(ROWS[:1]) if name == "a.jsonl" else b"id\na\n") + b"\xff\n")
    rows = read_rows(str(path))
    assert next(rows)[1]["id"] == "a"
    with pytest.raises(DataError, match=r"line [23]: byte 0 is not UTF-8"):
        next(rows)


def test_parquet_comes_by_parts_with_the_number_of_each_first_row(tmp_path):
    path = str(tmp_path / "a.parquet")
    pq.write_table(pa.table({"id": list(range(10)), "big": ["x"] * 10}), path, row_group_size=4)
    parts = list(read_batches(path, 3, lambda names: sorted(names - {"big"})))
    assert [batch.schema.names for _, batch in parts] == [["id"]] * len(parts)
    assert [first for first, _ in parts] == [1 + batch.column("id")[0].as_py() for _, batch in parts]
    assert [where for where, _ in read_rows(path)] == [f"{path}, row {number}" for number in range(1, 11)]


@pytest.mark.parametrize("source", ["hub:", "hub::train", "hub:a/b:"])
def test_a_data_set_without_name_or_split_is_refused(source):
    with pytest.raises(DataError, match="expected hub:OWNER/NAME or hub:OWNER/NAME:SPLIT"):
        next(read_rows(source))


def test_the_split_that_the_source_names_wins(tmp_path):
    for name, row in (("train", ROWS[0]), ("test", ROWS[1])):
        (tmp_path / f"{name}.jsonl").write_bytes(lines([row]))
    assert [row["id"] for _, row in read_rows(f"hub:{tmp_path}:test", split="train")] == ["b"]
    assert [row["id"] for _, row in read_rows(f"hub:{tmp_path}", split="train")] == ["a"]


def test_the_prefix_that_the_hub_had_elsewhere_is_refused_with_the_one_that_counts():
    with pytest.raises(ConfigError, match=r"retriever.corpus is hf:OWNER/NAME, expected hub:OWNER/NAME"):
        load(None, ["retriever.corpus='hf:OWNER/NAME'"])


def test_only_the_endings_that_were_asked_for_are_taken(tmp_path):
    with pytest.raises(DataError, match=r"ending in '.csv', expected .jsonl, or hub:OWNER/NAME"):
        next(read_rows(str(tmp_path / "a.csv"), formats={".jsonl": json_lines}))


@pytest.mark.parametrize(
    ("source", "name", "suffix"),
    [
        ("s3://b/a.jsonl.gz", "a", ".jsonl"),
        ("x/a.b.parquet", "a.b", ".parquet"),
        ("x/a.tar.gz", "a", ".gz"),
        ("hub:o/n:test", "n", ""),
    ],
)
def test_a_sources_short_name_and_ending(source, name, suffix):
    assert (stem(source), ending(source)) == (name, suffix)
