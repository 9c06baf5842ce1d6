"""Rows of somebody else's trajectories, one at a time: JSON Lines, Parquet, a data set of the hub.

The rows of `agentdistill.tasks.files` come from files that fit in memory; a row here may hold a hundred kilobytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from agentdistill import storage
from agentdistill.errors import DataError, MissingPartError
from agentdistill.tasks.files import LocatedRow
from agentdistill.tasks.load import HUB_PREFIX

DEFAULT_SPLIT = "train"
_JSON_LINES = (".jsonl", ".ndjson")
_PARQUET = ".parquet"
_BATCH_ROWS = 64


def iterate_source(source: str) -> Iterator[LocatedRow]:
    """Each row with the place where it stands ("file.jsonl, line 3").

    `source` is a file on a path or an fsspec URL, or `hub:OWNER/NAME[:SPLIT]` (also a folder that the package datasets
    can read). Raises DataError with place and expectation where the source is missing, empty or broken.
    """
    if source.startswith(HUB_PREFIX):
        return _hub(source)
    suffix = PurePosixPath(source).suffix.lower()
    if suffix not in (*_JSON_LINES, _PARQUET):
        expected = ", ".join([*_JSON_LINES, _PARQUET])
        raise DataError(f"{source}: cannot read a file ending in {suffix!r}, expected {expected}, or hub:OWNER/NAME")
    system, inner = storage.filesystem(source)
    if system.isdir(inner):
        raise DataError(f"{source}: this is a folder, expected a file of trajectories")
    if not system.exists(inner):
        raise DataError(f"{source}: there is no such file, expected a file of trajectories")
    if system.size(inner) == 0:
        raise DataError(f"{source}: the file is empty, expected at least one trajectory")
    return _parquet(source) if suffix == _PARQUET else _json_lines(source)


def stem(source: str) -> str:
    """The source's short name: the file's without suffix, the data set's without owner and split."""
    if source.startswith(HUB_PREFIX):
        return PurePosixPath(_hub_name(source)[0]).name
    return PurePosixPath(source).stem


def _json_lines(source: str) -> Iterator[LocatedRow]:
    system, inner = storage.filesystem(source)
    with system.open(inner, "rb") as lines:
        # Binary lines end at a line feed alone: a JSON string may hold U+2028 and its like as they are.
        for number, line in enumerate(lines, start=1):
            where = f"{source}, line {number}"
            row = _parse(where, line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line)
            if row is not None:
                yield where, row


def _parse(where: str, line: bytes) -> dict[str, Any] | None:
    """The line's object; None for a blank line."""
    if not line.strip():
        return None
    try:
        row = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise DataError(f"{where}: byte {error.start} is not UTF-8, expected UTF-8 text") from error
    except json.JSONDecodeError as error:
        raise DataError(
            f"{where}: not valid JSON at column {error.colno} ({error.msg}), expected one object"
        ) from error
    except RecursionError as error:
        raise DataError(f"{where}: the JSON is nested too deep, expected one object") from error
    if not isinstance(row, dict):
        raise DataError(f"{where}: found a JSON {type(row).__name__}, expected one object a line")
    return row


def _parquet(source: str) -> Iterator[LocatedRow]:
    system, inner = storage.filesystem(source)
    position = 0
    with system.open(inner, "rb") as opened:
        try:
            for batch in pq.ParquetFile(opened).iter_batches(batch_size=_BATCH_ROWS):
                for row in batch.to_pylist():
                    position += 1
                    yield f"{source}, row {position}", row
        except (pa.ArrowException, OSError) as error:
            after = f" after row {position}" if position else ""
            raise DataError(f"{source}: not a complete Parquet file{after} ({error})") from error


def _hub_name(source: str) -> tuple[str, str]:
    """(name, split) of `hub:NAME[:SPLIT]`."""
    name, separator, split = source.removeprefix(HUB_PREFIX).partition(":")
    if not name or (separator and not split):
        raise DataError(f"{source}: expected hub:OWNER/NAME or hub:OWNER/NAME:SPLIT")
    return name, split or DEFAULT_SPLIT


def _hub(source: str) -> Iterator[LocatedRow]:
    name, split = _hub_name(source)
    try:
        import datasets
    except ImportError as error:
        raise MissingPartError("reading from the hub needs the package datasets, which is not installed") from error
    try:
        rows = datasets.load_dataset(name, split=split)
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise DataError(f"{source}: cannot load split {split!r}: {reason}") from error
    for position, row in enumerate(rows, start=1):
        yield f"{source}, row {position}", dict(row)
