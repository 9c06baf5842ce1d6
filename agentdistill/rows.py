"""Rows of other people's files, one at a time, each with where it stands: questions, trajectories, passages.

JSON Lines, CSV (both also as .gz) and Parquet are streamed, and so is a data set of the hub; one JSON document is read
whole. What a row has to hold is the business of who asked for it.
"""

from __future__ import annotations

import contextlib
import csv
import json
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import IO, Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from agentdistill import storage
from agentdistill.errors import DataError, MissingPartError

#: A row and where it stands: "questions.jsonl, line 3".
LocatedRow = tuple[str, dict[str, Any]]
#: From a file's name and its opened bytes to its rows.
Reader = Callable[[str, IO[bytes]], Iterator[LocatedRow]]

HUB_PREFIX = "hub:"
DEFAULT_SPLIT = "train"

_COMPRESSED = ".gz"
_BATCH_ROWS = 64  # a row may hold a hundred kilobytes
_BLANK_BYTES = 4_096  # a longer file that begins with nothing but blanks is not called empty
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_CARRIAGE_RETURN = re.compile(r"(?<=\r)(?=[^\n])")


def json_document(source: str, opened: IO[bytes]) -> Iterator[LocatedRow]:
    """One JSON value: a list of objects, or an object with such a list in "examples"."""
    try:
        value = json.loads("".join(_text_lines(source, opened)))
    except json.JSONDecodeError as error:
        raise DataError(
            f"{source}, line {error.lineno}: not valid JSON at column {error.colno} ({error.msg}), expected an object "
            'with "examples" or a list of objects'
        ) from error
    except RecursionError as error:
        raise DataError(f"{source}: the JSON is nested too deep, expected a list of objects") from error
    rows = value.get("examples") if isinstance(value, dict) else value
    if not isinstance(rows, list):
        raise DataError(f'{source}: the field "examples" is missing, expected a list of objects in it')
    for position, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            raise DataError(
                f"{source}, example {position}: found a JSON {type(row).__name__}, expected an object with named fields"
            )
        yield f"{source}, example {position}", row


def json_lines(source: str, opened: IO[bytes]) -> Iterator[LocatedRow]:
    """One JSON object a line; blank lines are passed over."""
    for number, line in enumerate(_text_lines(source, opened), start=1):
        if line.strip():
            where = f"{source}, line {number}"
            yield where, _parse(where, line)


def csv_table(source: str, opened: IO[bytes]) -> Iterator[LocatedRow]:
    """A header, and a row of as many values under it."""
    reader = csv.reader(_csv_lines(source, opened), strict=True)
    try:
        header = next(reader, [])
        for values in reader:
            where = f"{source}, line {reader.line_num}"
            if values and len(values) != len(header):
                raise DataError(f"{where}: {len(values)} values, expected {len(header)} as in the header")
            if values:
                yield where, dict(zip(header, values, strict=True))
    except csv.Error as error:
        raise DataError(f"{source}, line {reader.line_num}: not valid CSV ({error})") from error


def parquet_table(source: str, opened: IO[bytes]) -> Iterator[LocatedRow]:
    """A Parquet file, a part of a row group at a time."""
    for first, batch in _batches(source, opened, _BATCH_ROWS, None):
        for number, row in enumerate(batch.to_pylist(), start=first):
            yield f"{source}, row {number}", row


#: Every ending that is known, without the .gz that may follow it, and how such a file is read.
FORMATS: Mapping[str, Reader] = {
    ".json": json_document,
    ".jsonl": json_lines,
    ".ndjson": json_lines,
    ".csv": csv_table,
    ".parquet": parquet_table,
}


def read_rows(
    source: str, *, formats: Mapping[str, Reader] = FORMATS, split: str = DEFAULT_SPLIT, holds: str = "row"
) -> Iterator[LocatedRow]:
    """The rows of a file or of a data set of the hub, in order, each with the place where it stands.

    `source` is a file on a path or an fsspec URL, or `hub:OWNER/NAME[:SPLIT]` (the split is `split` unless named; also
    a folder that the package datasets can read or has saved). `formats` are the endings that are taken; `holds` says in
    messages what a row should be. Nothing is read before the first row is asked for.

    Raises DataError with place and expectation where the source is missing, empty, or not what its ending says;
    MissingPartError where a data set is asked for and the package datasets is not installed.
    """
    if source.startswith(HUB_PREFIX):
        yield from _hub_rows(source, split)
        return
    suffix = ending(source)
    if suffix not in formats:
        raise DataError(
            f"{source}: cannot read a file ending in {suffix!r}, expected {_listed(formats)}, or hub:OWNER/NAME"
        )
    _check_file(source, holds)
    with _opened(source) as opened:
        yield from formats[suffix](source, opened)


def read_batches(
    source: str, batch_rows: int, choose: Callable[[set[str]], list[str]]
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """A Parquet file by columns: (number of the first row, counted from 1, and at most `batch_rows` rows).

    `choose` gets the names of the columns and returns those to read. Raises DataError where the file is not whole.
    """
    with _opened(source) as opened:
        yield from _batches(source, opened, batch_rows, choose)


def ending(source: str) -> str:
    """The ending that says how a file is read: ".jsonl" of "a/b.jsonl.gz"."""
    suffixes = [suffix.lower() for suffix in PurePosixPath(source).suffixes[-2:]]
    if suffixes[-1:] == [_COMPRESSED] and suffixes[0] in (".json", ".jsonl", ".ndjson", ".csv"):
        return suffixes[0]
    return suffixes[-1] if suffixes else ""


def stem(source: str) -> str:
    """The source's short name: the file's without its ending, the data set's without owner and split."""
    if source.startswith(HUB_PREFIX):
        return PurePosixPath(hub_name(source)[0]).name
    place = PurePosixPath(source)
    return PurePosixPath(place.stem).stem if place.suffix.lower() == _COMPRESSED else place.stem


def hub_name(source: str, split: str = DEFAULT_SPLIT) -> tuple[str, str]:
    """(name, split) of `hub:NAME[:SPLIT]`. Raises DataError where one of them is empty."""
    name, separator, named = source.removeprefix(HUB_PREFIX).partition(":")
    if not name or (separator and not named):
        raise DataError(f"{source}: expected hub:OWNER/NAME or hub:OWNER/NAME:SPLIT")
    return name, named or split


def _listed(formats: Mapping[str, Reader]) -> str:
    return ("one of " if len(formats) > 1 else "") + ", ".join(formats)


def _check_file(source: str, holds: str) -> None:
    """Raise DataError where there is no such file, or nothing in it."""
    expected = f"a {holds} file" if holds != "row" else "a file of rows"
    system, inner = storage.filesystem(source)
    if system.isdir(inner):
        raise DataError(f"{source}: this is a folder, expected {expected}")
    if not system.exists(inner):
        raise DataError(f"{source}: there is no such file, expected {expected}")
    with _opened(source) as opened:
        head = opened.read(_BLANK_BYTES)
    if len(head) < _BLANK_BYTES and not head.strip():
        raise DataError(f"{source}: the file is empty, expected at least one {holds}")


@contextlib.contextmanager
def _opened(source: str) -> Iterator[IO[bytes]]:
    """The file's bytes, decompressed. Raises DataError where they cannot be read to the end."""
    try:
        with fsspec.open(source, "rb", compression="gzip" if source.lower().endswith(_COMPRESSED) else None) as opened:
            yield opened
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{source}: cannot read this file: {error}") from error


def _text_lines(source: str, opened: Iterable[bytes]) -> Iterator[str]:
    """The lines of UTF-8 text with their ends. Bytes end a line at a line feed alone: JSON may hold U+2028 as it is."""
    for number, line in enumerate(opened, start=1):
        try:
            yield (line.removeprefix(_BYTE_ORDER_MARK) if number == 1 else line).decode("utf-8")
        except UnicodeDecodeError as error:
            raise DataError(f"{source}, line {number}: byte {error.start} is not UTF-8, expected UTF-8 text") from error


def _csv_lines(source: str, opened: Iterable[bytes]) -> Iterator[str]:
    """As `_text_lines`, also cut where a carriage return stands alone: old spreadsheets end their lines so."""
    for line in _text_lines(source, opened):
        yield from _CARRIAGE_RETURN.split(line)


def _parse(where: str, line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{where}: not valid JSON at column {error.colno} ({error.msg}), expected one object"
        ) from error
    except RecursionError as error:
        raise DataError(f"{where}: the JSON is nested too deep, expected one object") from error
    if not isinstance(row, dict):
        raise DataError(f"{where}: found a JSON {type(row).__name__}, expected one object a line")
    return row


def _batches(
    source: str, opened: IO[bytes], batch_rows: int, choose: Callable[[set[str]], list[str]] | None
) -> Iterator[tuple[int, pa.RecordBatch]]:
    first = 1
    try:
        file = pq.ParquetFile(opened)
        columns = None if choose is None else choose(set(file.schema_arrow.names))
        for batch in file.iter_batches(batch_size=batch_rows, columns=columns):
            yield first, batch
            first += batch.num_rows
    except (pa.ArrowException, OSError) as error:
        after = f" after row {first - 1}" if first > 1 else ""
        raise DataError(f"{source}: not a complete Parquet file{after} ({error})") from error


def _hub_rows(source: str, split: str) -> Iterator[LocatedRow]:
    name, split = hub_name(source, split)
    try:
        import datasets
    except ImportError as error:
        raise MissingPartError(f"{source}: needs the package datasets, which is not installed") from error
    try:
        for position, row in enumerate(_data_set(datasets, name, split), start=1):
            yield f"{source}, row {position}", dict(row)
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise DataError(f"{source}: cannot load split {split!r}: {reason}") from error


def _data_set(datasets: Any, name: str, split: str) -> Iterable[Mapping[str, Any]]:
    if (Path(name) / "state.json").exists():  # one data set, as `save_to_disk` wrote it
        return datasets.load_from_disk(name)
    return datasets.load_dataset(name, split=split, streaming=True)
