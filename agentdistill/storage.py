"""Reading and writing on a path or an fsspec URL, whole files only.

A file is written beside its place under a temporary name and renamed, so that a reader sees all of it or none. On
object stores the upload itself is atomic, and the rename becomes a copy of a complete object.
"""

from __future__ import annotations

import errno
import json
import os
import uuid
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any

import fsspec
import fsspec.implementations.local as local
import pyarrow as pa
import pyarrow.parquet as pq

from agentdistill import schema_v1
from agentdistill.errors import DataError, MissingPartError, RunFolderError
from agentdistill.schema import conform, current, stored_columns

TEMPORARY_PREFIX = ".writing-"
STEP = schema_v1.STEP  # in front of a field of a step, in `read_columns`


def filesystem(path: str) -> tuple[Any, str]:
    """Return the fsspec filesystem that holds `path`, and the path within it.

    Raises DataError for a protocol that nobody knows, MissingPartError for one whose package is not installed.
    """
    try:
        return fsspec.core.url_to_fs(path)
    except ValueError as error:
        raise DataError(f"{path}: {error}; expected a path, or a URL that fsspec knows") from error
    except ImportError as error:
        raise MissingPartError(f"{path}: its storage needs a package that is not installed: {error}") from error


def join(folder: str, *parts: str) -> str:
    return "/".join([folder.rstrip("/"), *parts])


def exists(path: str) -> bool:
    system, inner = filesystem(path)
    return bool(system.exists(inner))


def make_folder(path: str) -> None:
    """Create the folder and its parents. Raises RunFolderError where that is not possible."""
    system, inner = filesystem(path)
    try:
        system.makedirs(inner, exist_ok=True)
    except OSError as error:
        raise RunFolderError(f"{path}: cannot create this folder: {error.strerror or error}") from error


def write_bytes(path: str, data: bytes) -> None:
    """Write a file whole or not at all. Raises RunFolderError with the reason (a full disk among them)."""
    write_chunks(path, [data])


def write_chunks(path: str, chunks: Iterable[bytes]) -> None:
    """As `write_bytes`, for what need not be in memory at once. What the iterable raises leaves no file."""
    system, inner = filesystem(path)
    parent = str(PurePosixPath(inner).parent)
    temporary = f"{parent}/{TEMPORARY_PREFIX}{uuid.uuid4().hex}"
    try:
        system.makedirs(parent, exist_ok=True)
        with system.open(temporary, "wb") as out:
            for chunk in chunks:
                out.write(chunk)
            if isinstance(out, local.LocalFileOpener):
                out.flush()
                os.fsync(out.fileno())
        _rename(system, temporary, inner)
    except OSError as error:
        _remove_quietly(system, temporary)
        raise RunFolderError(f"{path}: cannot write: {_reason(error)}") from error
    except BaseException:
        _remove_quietly(system, temporary)
        raise


def write_text(path: str, text: str) -> None:
    write_bytes(path, text.encode())


def write_json(path: str, value: Any) -> None:
    write_text(path, json.dumps(value, indent=2) + "\n")


def write_table(path: str, table: pa.Table) -> None:
    """Write a Parquet file whole or not at all."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    write_bytes(path, sink.getvalue().to_pybytes())


def write_tables(path: str, schema: pa.Schema, tables: Iterable[pa.Table]) -> None:
    """Write a Parquet file of many tables, a row group each, whole or not at all; only the compressed file is held."""
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, schema, compression="zstd") as writer:
        for table in tables:
            writer.write_table(table)
    write_bytes(path, sink.getvalue().to_pybytes())


def read_bytes(path: str) -> bytes:
    """Raises FileNotFoundError."""
    system, inner = filesystem(path)
    with system.open(inner, "rb") as source:
        return source.read()


def read_json(path: str) -> Any:
    """Raises FileNotFoundError; DataError where the file is not JSON."""
    content = read_bytes(path)
    try:
        return json.loads(content)
    except ValueError as error:
        raise DataError(f"{path}: not valid JSON: {error}") from error


def parquet_files(folder: str) -> list[str]:
    """The complete Parquet files of a folder, sorted by name; empty where there is no folder."""
    system, inner = filesystem(folder)
    if not system.exists(inner):
        return []
    names = [PurePosixPath(name).name for name in system.ls(inner, detail=False)]
    return [join(folder, name) for name in sorted(names) if name.endswith(".parquet") and not name.startswith(".")]


def read_table(path: str, schema: pa.Schema, columns: list[str] | None = None) -> pa.Table:
    """Read one Parquet file of a versioned schema. Raises DataError naming the file where it is torn or another's."""
    system, inner = filesystem(path)
    try:
        with system.open(inner, "rb") as source:
            table = pq.read_table(source, columns=columns)
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: not a complete Parquet file: {error}") from error
    return conform(current(table, schema, path), schema, path)


def count_rows(path: str) -> int:
    """How many rows a Parquet file has, by its footer. Raises FileNotFoundError; DataError where it is torn."""
    system, inner = filesystem(path)
    try:
        with system.open(inner, "rb") as source:
            return int(pq.read_metadata(source).num_rows)
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: not a complete Parquet file: {error}") from error


def read_folder(folder: str, schema: pa.Schema, columns: list[str] | None = None) -> pa.Table:
    """Read every Parquet file of a folder as one table; an empty table where there is none."""
    tables = [read_table(path, schema, columns) for path in parquet_files(folder)]
    if not tables:
        chosen = schema if columns is None else pa.schema([schema.field(name) for name in columns])
        return chosen.empty_table()
    return pa.concat_tables(tables, promote_options="default")


def iterate_rows(folder: str, schema: pa.Schema, batch_size: int = 256) -> Iterator[dict[str, Any]]:
    """The rows of a folder one at a time, so that a large folder does not have to fit in memory."""
    for path in parquet_files(folder):
        for batch in read_table(path, schema).to_batches(max_chunksize=batch_size):
            yield from batch.to_pylist()


def remove_temporary(folder: str) -> int:
    """Remove what an interrupted writer left behind; returns how many files."""
    system, inner = filesystem(folder)
    if not system.exists(inner):
        return 0
    left = [name for name in system.ls(inner, detail=False) if PurePosixPath(name).name.startswith(TEMPORARY_PREFIX)]
    for name in left:
        system.rm(name, recursive=True)
    return len(left)


def _rename(system: Any, source: str, target: str) -> None:
    if isinstance(system, local.LocalFileSystem):
        os.replace(source, target)
    else:
        system.mv(source, target)


def _remove_quietly(system: Any, path: str) -> None:
    # The write has failed already and its error is on the way up: a second one would hide it.
    try:
        if system.exists(path):
            system.rm(path)
    except OSError:
        return


def _reason(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return "no space left on the device; free some and run the same command again, it goes on where it was"
    return error.strerror or str(error)


def read_columns(path: str, schema: pa.Schema, columns: Sequence[str]) -> pa.Table:
    """Read the leaves that `columns` name or lie under. Raises DataError naming the file where it is torn."""
    system, inner = filesystem(path)
    try:
        with system.open(inner, "rb") as source:
            file = pq.ParquetFile(source)
            table = file.read(columns=stored_columns(file.schema_arrow, schema, columns, path))
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: not a complete Parquet file: {str(error).splitlines()[0]}") from error
    return current(table, schema, path)
