"""The training set as `select` wrote it: its examples, and the columns of numbers that an objective asks for."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import pyarrow as pa

from agentdistill import storage
from agentdistill.errors import DataError
from agentdistill.schema import TRAINING_EXAMPLES, example_from_row
from agentdistill.types import TrainingExample

#: The numbers of one example, by the columns' names.
Columns = tuple[tuple[str, float], ...]


def read_examples(path: str) -> Iterator[TrainingExample]:
    """The training examples of a Parquet file or of every one in a folder.

    Raises DataError where there is no such place or a file is not a training set.
    """
    if path.endswith(".parquet"):
        try:
            table = storage.read_table(path, TRAINING_EXAMPLES)
        except FileNotFoundError as error:
            raise DataError(f"{path}: no such file, expected the training set that `select` wrote") from error
        yield from (example_from_row(row) for row in table.to_pylist())
        return
    if not storage.parquet_files(path):
        raise DataError(f"{path}: no Parquet file in this folder, expected the training set that `select` wrote")
    yield from (example_from_row(row) for row in storage.iterate_rows(path, TRAINING_EXAMPLES))


def read_numbers(path: str, names: Sequence[str]) -> dict[str, Columns]:
    """Return the numbers in the named columns of a training set, by example id.

    Raises DataError where a column is missing, holds no numbers, or has none for an example.
    """
    found: dict[str, Columns] = {}
    for file in [path] if path.endswith(".parquet") else storage.parquet_files(path):
        table = storage.read_columns(file, TRAINING_EXAMPLES, ["example_id", *names])
        for name in names:
            _check_column(file, table, name)
        values = [table.column(name).cast(pa.float64()).to_pylist() for name in names]
        for example_id, *numbers in zip(table.column("example_id").to_pylist(), *values, strict=True):
            found[example_id] = _checked(example_id, tuple(zip(names, numbers, strict=True)))
    return found


def _checked(example_id: str, columns: Columns) -> Columns:
    for name, value in columns:
        if value is None or not math.isfinite(value):
            raise DataError(f"example {example_id}: its {name} is {value}, expected a number")
    return columns


def _check_column(file: str, table: pa.Table, name: str) -> None:
    if name not in table.column_names:
        raise DataError(f"{file}: it has no column {name}, which train.objective needs of each example")
    kind = table.schema.field(name).type
    if not (pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind)):
        raise DataError(f"{file}: its column {name} holds {kind}, expected a number for each example")
