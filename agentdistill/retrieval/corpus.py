"""Passages as a stream of Arrow batches, from whatever holds them, each row checked where it is read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from agentdistill import storage
from agentdistill.errors import DataError
from agentdistill.rows import HUB_PREFIX, LocatedRow, ending, json_lines, parquet_table, read_batches, read_rows

PASSAGES = pa.schema([("id", pa.string()), ("title", pa.string()), ("text", pa.string())])
BATCH_ROWS = 4096

#: The built-in task's corpus.
BUILTIN = "builtin"
#: A .json corpus is JSON Lines too: so Search-R1 and others publish theirs.
_FORMATS = {".jsonl": json_lines, ".json": json_lines, ".ndjson": json_lines, ".parquet": parquet_table}


@dataclass(frozen=True, slots=True)
class Columns:
    """What the fields of a passage are called in the corpus. `contents` (Search-R1) stands for title and text."""

    id: str = "id"
    title: str = "title"
    text: str = "text"


def read_corpus(source: Any, columns: Columns | None = None) -> Iterator[pa.RecordBatch]:
    """Yield batches with the schema PASSAGES, at most BATCH_ROWS rows each.

    `source` is "builtin", a path or fsspec URL of a Parquet or JSON Lines file or a folder of them,
    `hub:OWNER/NAME[:SPLIT]` (a data set of the hub, or a folder that the package datasets reads or has saved), or an
    iterable of rows with the attributes id, title and text.
    Rows with `contents` have the title in quotes on their first line, as Search-R1's Wikipedia does.
    Raises DataError with file and line for a row without id or text, or a line that is not JSON.
    """
    columns = columns or Columns()
    if not isinstance(source, str | Path):
        return _batched(_from_objects(source))
    source = str(source)
    if source == BUILTIN:
        from agentdistill.tasks.world import corpus

        return _batched(_from_objects(corpus()))
    if source.startswith(HUB_PREFIX):
        return _batched(_passages(read_rows(source), columns))
    return _read_files(source, columns)


def corpus_files(path: str) -> list[str]:
    """The files of a corpus given as a file or a folder. Raises DataError where there are none."""
    system, inner = storage.filesystem(path)
    if not system.exists(inner):
        raise DataError(
            f"{path}: there is no such corpus; expected a Parquet or JSON Lines file, a folder of them, or "
            "hub:OWNER/NAME"
        )
    if not system.isdir(inner):
        return [path]
    names = sorted(Path(name).name for name in system.ls(inner, detail=False))
    found = [f"{path.rstrip('/')}/{name}" for name in names if ending(name) in _FORMATS]
    if not found:
        raise DataError(f"{path}: this folder holds neither *.parquet nor *.jsonl")
    return found


def contents(title: str, text: str) -> str:
    """A passage as one text, the form in which it is encoded: the title in quotes on the first line (Search-R1)."""
    return f'"{title}"\n{text}' if title else text


def split_contents(value: str) -> tuple[str, str]:
    """The title and the text of a Search-R1 `contents` field; the title is empty where there is one line only."""
    first, newline, rest = value.partition("\n")
    if not newline:
        return "", value
    return first.strip().strip('"'), rest


def _read_files(source: str, columns: Columns) -> Iterator[pa.RecordBatch]:
    for path in corpus_files(source):
        if ending(path) == ".parquet":
            yield from _from_parquet(path, columns)
        else:
            yield from _batched(_passages(read_rows(path, formats=_FORMATS, holds="passage"), columns))


def _from_objects(rows: Iterable[Any]) -> Iterator[tuple[str, str, str]]:
    for number, row in enumerate(rows, start=1):
        fields = {name: getattr(row, name, None) for name in ("id", "title", "text")}
        yield _checked(fields, Columns(), f"corpus, row {number}")


def _passages(rows: Iterable[LocatedRow], columns: Columns) -> Iterator[tuple[str, str, str]]:
    return (_checked(row, columns, where) for where, row in rows)


def _checked(row: Mapping[str, Any], columns: Columns, where: str) -> tuple[str, str, str]:
    identity = row.get(columns.id)
    if isinstance(identity, bool) or not isinstance(identity, str | int) or identity == "":
        raise DataError(f"{where}: the field {columns.id!r} is {identity!r}, expected the passage's id")
    title, text = row.get(columns.title), row.get(columns.text)
    if text is None and isinstance(row.get("contents"), str):
        title, text = split_contents(row["contents"])
    if not isinstance(text, str) or not text.strip():
        shown = repr(text)[:40]
        raise DataError(f"{where}: the field {columns.text!r} is {shown}, expected the passage's text")
    if title is not None and not isinstance(title, str):
        raise DataError(f"{where}: the field {columns.title!r} is {title!r}, expected a text")
    return str(identity), _encodable(title or ""), _encodable(text)


def _encodable(text: str) -> str:
    """JSON can spell lone surrogates, which no UTF-8 column can hold."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _batched(rows: Iterator[tuple[str, str, str]]) -> Iterator[pa.RecordBatch]:
    held: list[tuple[str, str, str]] = []
    for row in rows:
        held.append(row)
        if len(held) == BATCH_ROWS:
            yield _to_batch(held)
            held = []
    if held:
        yield _to_batch(held)


def _to_batch(rows: list[tuple[str, str, str]]) -> pa.RecordBatch:
    return pa.record_batch([pa.array(column, pa.string()) for column in zip(*rows, strict=True)], schema=PASSAGES)


def _from_parquet(path: str, columns: Columns) -> Iterator[pa.RecordBatch]:
    """By columns, which is many times faster than by rows: a corpus has millions of them."""
    for first_row, batch in read_batches(path, BATCH_ROWS, lambda names: _parquet_columns(path, names, columns)):
        yield _parquet_batch(batch, columns, path, first_row)


def _parquet_columns(path: str, names: set[str], columns: Columns) -> list[str]:
    text = columns.text if columns.text in names else "contents"
    missing = [name for name in (columns.id, text) if name not in names]
    if missing:
        have = ", ".join(sorted(names))
        raise DataError(
            f"{path}: expected the columns {columns.id!r} and {columns.text!r} (or 'contents'), found {have}"
        )
    return [columns.id, text, *([columns.title] if columns.title in names else [])]


def _parquet_batch(batch: pa.RecordBatch, columns: Columns, path: str, first_row: int) -> pa.RecordBatch:
    if "contents" in batch.schema.names and columns.text not in batch.schema.names:
        rows = [
            _checked(row, columns, f"{path}, row {first_row + number}")
            for number, row in enumerate(batch.to_pylist(), start=1)
        ]
        return _to_batch(rows)
    ids, texts = batch.column(columns.id).cast(pa.string()), batch.column(columns.text).cast(pa.string())
    for name, column in ((columns.id, ids), (columns.text, texts)):
        blank = pc.fill_null(pc.equal(pc.utf8_length(pc.utf8_trim_whitespace(column)), 0), True)
        if pc.any(blank).as_py():
            number = first_row + pc.index(blank, True).as_py()
            raise DataError(f"{path}, row {number}: the column {name!r} is empty, expected a value in each row")
    if columns.title in batch.schema.names:
        titles = pc.fill_null(batch.column(columns.title).cast(pa.string()), "")
    else:
        titles = pa.array([""] * batch.num_rows, pa.string())
    return pa.record_batch([ids, titles, texts], schema=PASSAGES)
