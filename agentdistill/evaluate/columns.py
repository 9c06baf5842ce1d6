"""Some columns of a Parquet file, down to fields within lists, so that the long ones need not be read."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from agentdistill import storage
from agentdistill.errors import DataError
from agentdistill.schema import check_version

STEP = "steps.list.element."  # in front of a field of a step


def read_columns(path: str, schema: pa.Schema, columns: Sequence[str]) -> pa.Table:
    """Read the leaves that `columns` name or lie under. Raises DataError naming the file where it is torn."""
    system, inner = storage.filesystem(path)
    try:
        with system.open(inner, "rb") as source:
            table = pq.ParquetFile(source).read(columns=list(columns))
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: not a complete Parquet file: {str(error).splitlines()[0]}") from error
    check_version(table, schema, path)
    return table
