"""Passages as a stream of Arrow batches, from whatever holds them, each row checked where it is read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from agentdistill.errors import DataError, MissingPartError

PASSAGES = pa.schema([("id", pa.string()), ("title", pa.string()), ("text", pa.string())])
BATCH_ROWS = 4096

#: The built-in task's corpus.
BUILTIN = "builtin"
_JSON_ENDINGS = (".jsonl", ".json", ".jsonl.gz", ".ndjson")


@dataclass(frozen=True, slots=True)
class Columns:
    """What the fields of a passage are called in the corpus. `contents` (Search-R1) stands for title and text."""

    id: str = "id"
    title: str = "title"
    text: str = "text"


def read_corpus(source: Any, columns: Columns | None = None) -> Iterator[pa.RecordBatch]:
    """Yield batches with the schema PASSAGES, at most BATCH_ROWS rows each.

    `source` is "builtin", a path or fsspec URL of a Parquet or JSON Lines file or a folder of them, `hf:NAME[:SPLIT]`
    (a Hugging Face dataset's hub id or saved folder), or an iterable of rows with the attributes id, title and text.
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
    if source.startswith("hf:"):
        return _batched(_from_dataset(source, columns))
    return _read_files(source, columns)


def corpus_files(path: str) -> list[str]:
    """The files of a corpus given as a file or a folder. Raises DataError where there are none."""
    system, inner = fsspec.core.url_to_fs(path)
    if not system.exists(inner):
        raise DataError(f"{path}: there is no such corpus; expected a Parquet or JSON Lines file, or a folder of them")
    if not system.isdir(inner):
        return [path]
    names = sorted(Path(name).name for name in system.ls(inner, detail=False))
    found = [f"{path.rstrip('/')}/{name}" for name in names if name.endswith((".parquet", *_JSON_ENDINGS))]
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
        if path.endswith(".parquet"):
            yield from _from_parquet(path, columns)
        else:
            yield from _batched(_from_json_lines(path, columns))


def _from_objects(rows: Iterable[Any]) -> Iterator[tuple[str, str, str]]:
    for number, row in enumerate(rows, start=1):
        fields = {name: getattr(row, name, None) for name in ("id", "title", "text")}
        yield _checked(fields, Columns(), f"corpus, row {number}")


def _from_json_lines(path: str, columns: Columns) -> Iterator[tuple[str, str, str]]:
    try:
        with fsspec.open(path, "rb", compression="infer") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield _checked(_parse(line, path, number), columns, f"{path}, line {number}")
    except (OSError, EOFError) as error:
        raise DataError(f"{path}: cannot read this file: {error}") from error


def _parse(line: bytes, path: str, number: int) -> Mapping[str, Any]:
    try:
        value = json.loads(line)
    except ValueError as error:
        raise DataError(f"{path}, line {number}: not valid JSON ({error}); expected one JSON object a line") from error
    if not isinstance(value, dict):
        raise DataError(f"{path}, line {number}: {type(value).__name__}, expected a JSON object")
    return value


def _from_dataset(source: str, columns: Columns) -> Iterator[tuple[str, str, str]]:
    try:
        import datasets
    except ImportError as error:
        raise MissingPartError(f"corpus {source}: needs the package datasets; run `pip install datasets`") from error
    name, _, split = source.removeprefix("hf:").partition(":")
    try:
        if Path(name).is_dir() and (Path(name) / "state.json").exists():
            rows = datasets.load_from_disk(name)
        else:
            rows = datasets.load_dataset(name, split=split or "train", streaming=True)
    except (OSError, ValueError, ConnectionError) as error:
        raise DataError(f"corpus {source}: cannot open this dataset: {error}") from error
    for number, row in enumerate(rows, start=1):
        yield _checked(row, columns, f"{source}, row {number}")


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
    system, inner = fsspec.core.url_to_fs(path)
    try:
        with system.open(inner, "rb") as source:
            file = pq.ParquetFile(source)
            names = set(file.schema_arrow.names)
            wanted = _parquet_columns(path, names, columns)
            row = 0
            for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=wanted):
                yield _parquet_batch(batch, columns, path, row)
                row += batch.num_rows
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: not a complete Parquet file: {error}") from error


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
            number = first_row + pc.index(blank, True).as_py() + 1
            raise DataError(f"{path}, row {number}: the column {name!r} is empty, expected a value in each row")
    if columns.title in batch.schema.names:
        titles = pc.fill_null(batch.column(columns.title).cast(pa.string()), "")
    else:
        titles = pa.array([""] * batch.num_rows, pa.string())
    return pa.record_batch([ids, titles, texts], schema=PASSAGES)
