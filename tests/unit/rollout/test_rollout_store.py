"""No trajectory is lost or there twice, whatever was interrupted."""

import asyncio
from pathlib import Path

import pytest
from trajectories import make_trajectory

from agentdistill import storage
from agentdistill.errors import DataError, RunFolderError
from agentdistill.rollout.store import GroupWriter, compact, take_inventory
from agentdistill.schema import TRAJECTORIES, trajectories_from_table, trajectories_to_table
from agentdistill.types import StopReason, Trajectory


def write(folder: Path, name: str, *trajectories: Trajectory) -> None:
    storage.write_table(str(folder / name), trajectories_to_table(trajectories))


FAILED = {"stop_reason": StopReason.ENGINE_ERROR, "grade": None, "answer": None}


def test_a_system_failure_is_not_finished(tmp_path: Path) -> None:
    write(tmp_path, "part-a.parquet", make_trajectory(), make_trajectory(question_id="q2", **FAILED))
    inventory = take_inventory(str(tmp_path))
    assert inventory.finished == {("q1", 0)}
    assert inventory.failed == {("q2", 0)}


@pytest.mark.parametrize("names", [("part-a.parquet", "part-b.parquet"), ("part-b.parquet", "part-a.parquet")])
def test_of_two_rows_with_one_key_the_finished_one_counts(tmp_path: Path, names: tuple[str, str]) -> None:
    write(tmp_path, names[0], make_trajectory(**FAILED))
    write(tmp_path, names[1], make_trajectory(answer="second"))
    inventory = compact(str(tmp_path))
    assert inventory.finished == {("q1", 0)}
    assert inventory.num_rows == 1
    (row,) = trajectories_from_table(storage.read_folder(str(tmp_path), TRAJECTORIES))
    assert row.answer == "second"


def test_compaction_keeps_every_row_and_leaves_few_files(tmp_path: Path) -> None:
    for index in range(40):
        write(tmp_path, f"part-{index:03d}.parquet", make_trajectory(sample_index=index))
    inventory = compact(str(tmp_path))
    assert inventory.finished == {("q1", index) for index in range(40)}
    assert len(storage.parquet_files(str(tmp_path))) == 1
    assert compact(str(tmp_path)).finished == inventory.finished


def test_compacting_again_leaves_full_files_alone(tmp_path: Path) -> None:
    rows = [make_trajectory(sample_index=index) for index in range(2_100)]
    write(tmp_path, "part-a.parquet", *rows)
    assert compact(str(tmp_path)).num_rows == 2_100
    full, rest = storage.parquet_files(str(tmp_path))
    made = Path(full).stat().st_ino
    write(tmp_path, "part-b.parquet", make_trajectory(sample_index=2_100))
    assert compact(str(tmp_path)).finished == {("q1", index) for index in range(2_101)}
    after = storage.parquet_files(str(tmp_path))
    assert len(after) == 2
    assert full in after
    assert rest not in after
    assert Path(full).stat().st_ino == made


def test_a_full_file_with_a_superseded_row_is_rewritten(tmp_path: Path) -> None:
    rows = [make_trajectory(sample_index=index) for index in range(2_000)]
    rows[7] = make_trajectory(sample_index=7, **FAILED)
    write(tmp_path, "part-a.parquet", *rows)
    assert compact(str(tmp_path)).failed == {("q1", 7)}
    write(tmp_path, "part-b.parquet", make_trajectory(sample_index=7))
    inventory = compact(str(tmp_path))
    assert (inventory.num_rows, inventory.failed) == (2_000, set())


def test_an_interrupted_compaction_counts_nothing_twice(tmp_path: Path) -> None:
    write(tmp_path, "part-a.parquet", make_trajectory())
    write(tmp_path, "trajectories-0123-00000.parquet", make_trajectory())
    assert compact(str(tmp_path)).num_rows == 1


def test_a_torn_file_is_set_aside_and_named(tmp_path: Path) -> None:
    write(tmp_path, "part-a.parquet", make_trajectory())
    (tmp_path / "part-b.parquet").write_bytes(b"PAR1 cut off")
    with pytest.raises(DataError, match=r"part-b\.parquet"):
        take_inventory(str(tmp_path))
    inventory = take_inventory(str(tmp_path), clean=True)
    assert [Path(name).name for name in inventory.torn] == ["torn-part-b.parquet.broken"]
    assert take_inventory(str(tmp_path)).finished == {("q1", 0)}


async def test_writes_are_grouped_and_each_waits_until_its_own_is_on_storage(tmp_path: Path) -> None:
    writer = GroupWriter(str(tmp_path), flush_s=0.02)
    await asyncio.gather(*(writer.add(make_trajectory(sample_index=index)) for index in range(10)))
    assert len(storage.parquet_files(str(tmp_path))) == 1
    await writer.add(make_trajectory(sample_index=10))
    assert len(take_inventory(str(tmp_path)).finished) == 11


@pytest.mark.slow
async def test_a_writer_merges_its_own_small_files(tmp_path: Path) -> None:
    writer = GroupWriter(str(tmp_path), flush_s=0.001)
    for index in range(67):
        await writer.add(make_trajectory(sample_index=index))
    assert len(storage.parquet_files(str(tmp_path))) == 1 + 67 % 64
    inventory = take_inventory(str(tmp_path))
    assert inventory.finished == {("q1", index) for index in range(67)}
    assert inventory.num_rows == 67


async def test_a_storage_that_refuses_tells_everyone_who_waits(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    writer = GroupWriter(str(tmp_path / "file" / "below"), flush_s=0.01)
    results = await asyncio.gather(*(writer.add(make_trajectory()) for _ in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [RunFolderError] * 3
