"""Rows of a question file (JSON, JSON Lines, Parquet, CSV), each with where it stands."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from typing import Any

from agentdistill import storage
from agentdistill.errors import DataError

#: A row and where it stands: "questions.jsonl, line 3".
LocatedRow = tuple[str, dict[str, Any]]


def read_rows(path: str) -> Iterator[LocatedRow]:
    """The rows of one file on a path or an fsspec URL, in order.

    Raises DataError with file and line where the file is missing, empty, or not what its suffix says.
    """
    suffix = PurePosixPath(path).suffix.lower()
    reader = _READERS.get(suffix)
    if reader is None:
        raise DataError(f"{path}: cannot read a file ending in {suffix!r}, expected one of {', '.join(_READERS)}")
    try:
        data = storage.read_bytes(path)
    except IsADirectoryError as error:
        raise DataError(f"{path}: this is a folder, expected a question file") from error
    except FileNotFoundError as error:
        raise DataError(f"{path}: there is no such file, expected a question file") from error
    if not data.strip():
        raise DataError(f"{path}: the file is empty, expected at least one question")
    yield from reader(path, data)


def _text(path: str, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(f"{path}, line {line}: byte {error.start} is not UTF-8, expected UTF-8 text") from error


def _read_json(path: str, data: bytes) -> Iterator[LocatedRow]:
    try:
        value = json.loads(_text(path, data))
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path}, line {error.lineno}: not valid JSON at column {error.colno} ({error.msg}), expected an object "
            'with "examples" or a list of objects'
        ) from error
    rows = value.get("examples") if isinstance(value, dict) else value
    if not isinstance(rows, list):
        raise DataError(f'{path}: the field "examples" is missing, expected a list of objects in it')
    for position, row in enumerate(rows, start=1):
        yield _located(f"{path}, example {position}", row)


def _read_json_lines(path: str, data: bytes) -> Iterator[LocatedRow]:
    # Not splitlines(): a JSON string may hold U+2028 and its like as they are.
    for number, line in enumerate(_text(path, data).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise DataError(
                f"{path}, line {number}: not valid JSON at column {error.colno} ({error.msg}), expected one object"
            ) from error
        yield _located(f"{path}, line {number}", row)


def _read_csv(path: str, data: bytes) -> Iterator[LocatedRow]:
    reader = csv.reader(io.StringIO(_text(path, data), newline=""), strict=True)
    try:
        header = next(reader)
        for values in reader:
            if values and len(values) != len(header):
                raise DataError(
                    f"{path}, line {reader.line_num}: {len(values)} values, expected {len(header)} as in the header"
                )
            if values:
                yield f"{path}, line {reader.line_num}", dict(zip(header, values, strict=True))
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: not valid CSV ({error})") from error


def _read_parquet(path: str, data: bytes) -> Iterator[LocatedRow]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(pa.BufferReader(data))
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: not a complete Parquet file ({error})") from error
    for position, row in enumerate(table.to_pylist(), start=1):
        yield f"{path}, row {position}", row


def _located(where: str, row: Any) -> LocatedRow:
    if not isinstance(row, dict):
        raise DataError(f"{where}: found a JSON {type(row).__name__}, expected an object with named fields")
    return where, row


_READERS: dict[str, Callable[[str, bytes], Iterator[LocatedRow]]] = {
    ".json": _read_json,
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
    ".csv": _read_csv,
    ".parquet": _read_parquet,
}
