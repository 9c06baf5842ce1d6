"""The rendered set on storage: the plan reads no tokens, and a sequence is read where it is asked for."""

import functools
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from agentdistill.config.train import TrainConfig
from agentdistill.train.data.rows import make_row
from agentdistill.train.data.sequences import SCHEMA, RenderCounts, SequenceSet, write_sequences
from agentdistill.train.spec import WorkerJob
from agentdistill.train.worker import load_plan

COUNT = 150


@functools.cache
def rows() -> list[dict]:
    """Sequences of unequal length; every tenth is held out, every third belongs to the example before."""
    draw = random.Random(0)
    found = []
    for number in range(COUNT):
        length = draw.randint(2, 30)
        found.append(
            {
                "example_id": f"example-{number - number % 3 // 2}",
                "part": number % 3 // 2,
                "token_ids": [draw.randint(0, 99) for _ in range(length)],
                "weights": [0.0] + [draw.choice([0.0, 0.5, 1.0]) for _ in range(length - 1)],
                "columns": [("advantage", float(number))],
                "num_tokens": length,
                "held_out": number % 10 == 0,
            }
        )
    return found


@pytest.fixture
def path(tmp_path) -> str:
    path = str(tmp_path / "sequences.parquet")
    write_sequences(path, pa.Table.from_pylist(rows(), schema=SCHEMA))
    return path


def plan_of(path: str):
    return load_plan(WorkerJob(TrainConfig(batch_size=4), "model", "folder", path, "fingerprint", RenderCounts()))


def spoil(path: str, names: set[str]) -> None:
    """Overwrite the data of these columns with zeros."""
    data, metadata = bytearray(Path(path).read_bytes()), pq.ParquetFile(path).metadata
    for group in range(metadata.num_row_groups):
        for number in range(metadata.num_columns):
            column = metadata.row_group(group).column(number)
            if column.path_in_schema.split(".")[0] in names:
                start = column.dictionary_page_offset or column.data_page_offset
                data[start : start + column.total_compressed_size] = bytes(column.total_compressed_size)
    Path(path).write_bytes(data)


def test_the_plan_reads_neither_tokens_nor_weights(path):
    _, expected = plan_of(path)
    spoil(path, {"token_ids", "weights"})

    sequences, plan = plan_of(path)

    assert plan == expected
    assert plan.lengths == tuple(row["num_tokens"] for row in rows())
    with pytest.raises((OSError, pa.ArrowException)):
        sequences[0]


@pytest.mark.parametrize("group_size", [1, 2, 64, 1000])
def test_every_sequence_is_read_as_it_was_written_in_any_order(tmp_path, group_size):
    path = str(tmp_path / "sequences.parquet")
    pq.write_table(pa.Table.from_pylist(rows(), schema=SCHEMA), path, row_group_size=group_size)
    sequences = SequenceSet(path)
    order = random.Random(1).choices(range(COUNT), k=3 * COUNT)

    for index in order:
        found, written = sequences[index], rows()[index]
        assert (found.example_id, found.part) == (written["example_id"], written["part"])
        assert list(found.token_ids) == written["token_ids"]
        assert list(found.weights) == written["weights"]
        assert found.columns == (("advantage", float(index)),)
    assert len(sequences) == COUNT


def test_held_out_sequences_and_the_groups_of_examples_are_as_written(path):
    sequences = SequenceSet(path)

    assert sequences.held_out == list(range(0, COUNT, 10))
    assert sorted([*sequences.held_out, *sequences.training]) == list(range(COUNT))
    assert sequences.groups([0, 1, 2, 3]) == [[0], [1, 2], [3]]


def test_a_row_gives_each_trained_token_the_numbers_of_its_example(path):
    sequences = SequenceSet(path)
    members = [sequences[5], sequences[7]]

    row = make_row(members)

    expected = [number for number, item in zip((5.0, 7.0), members, strict=True) for _ in range(item.num_trained)]
    assert row.columns["advantage"].tolist() == expected
    assert len(row.targets) == len(expected)
