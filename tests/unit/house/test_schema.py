"""Rows and dataclasses are the same thing twice."""

import dataclasses
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from trajectories import FAILED_STEP, INVALID_STEP, STEP, make_step, make_trajectory

from agentdistill import storage
from agentdistill.errors import DataError
from agentdistill.schema import (
    TRAJECTORIES,
    examples_from_table,
    examples_to_table,
    trajectories_from_table,
    trajectories_to_table,
)
from agentdistill.select import to_example
from agentdistill.types import Role, StopReason, Trajectory


@pytest.mark.parametrize(
    "trajectory",
    [
        make_trajectory(),
        make_trajectory(steps=(FAILED_STEP, INVALID_STEP, STEP), repeated=True),
        make_trajectory(steps=(), answer=None, grade=None, stop_reason=StopReason.ENGINE_ERROR, error="dead"),
        make_trajectory(steps=(dataclasses.replace(STEP, prompt_token_ids=(1, 2), logprobs=(-0.5, -1.0, -0.25)),)),
        make_trajectory(steps=(dataclasses.replace(STEP, thought_text="no part", code_text="of the text"),)),
        make_trajectory(steps=(dataclasses.replace(STEP, observation_header="", observation_role=Role.SYSTEM),)),
        make_trajectory(question='NUL \0, a lone quote " and 中文', first_thought_prefix="Thought: x"),
    ],
)
def test_a_trajectory_comes_back_as_it_was(trajectory: Trajectory) -> None:
    assert trajectories_from_table(trajectories_to_table([trajectory])) == [trajectory]


def test_derived_columns_can_be_queried_without_reading_steps() -> None:
    table = trajectories_to_table([make_trajectory(steps=(INVALID_STEP, STEP))])
    assert table.column("num_invalid_actions").to_pylist() == [1]
    assert table.column("num_completion_tokens").to_pylist() == [6]


def test_a_training_example_comes_back_as_it_was() -> None:
    example = to_example(make_trajectory())
    assert examples_from_table(examples_to_table([example])) == [example]


def without_fields(table: pa.Table, *names: str) -> pa.Table:
    """The table as it was written before its steps had these fields."""
    position = table.schema.get_field_index("steps")
    kept = [field for field in table.schema.field(position).type.value_type if field.name not in names]
    steps = [[{f.name: step[f.name] for f in kept} for step in row] for row in table.column(position).to_pylist()]
    kind = pa.list_(pa.struct(kept))
    return table.set_column(position, pa.field("steps", kind), pa.array(steps, kind))


def test_a_file_from_before_a_field_was_added_reads_as_if_it_were_null(tmp_path: Path) -> None:
    trajectory = make_trajectory()
    old = without_fields(trajectories_to_table([trajectory]), "prompt_token_ids", "logprobs")
    pq.write_table(old, tmp_path / "old.parquet")
    storage.write_table(str(tmp_path / "new.parquet"), trajectories_to_table([trajectory]))
    table = storage.read_folder(str(tmp_path), TRAJECTORIES)
    assert table.schema.equals(TRAJECTORIES)
    assert trajectories_from_table(table) == [trajectory, trajectory]


def test_a_file_that_is_up_to_date_is_read_as_it_is(tmp_path: Path) -> None:
    storage.write_table(str(tmp_path / "new.parquet"), trajectories_to_table([make_trajectory()]))
    assert pq.read_table(tmp_path / "new.parquet").schema.equals(TRAJECTORIES)


def test_columns_of_another_type_are_refused_with_the_files_name(tmp_path: Path) -> None:
    table = trajectories_to_table([make_trajectory(answer="no number")])
    position = table.schema.get_field_index("opening")
    pq.write_table(table.set_column(position, "opening", pa.array([3])), tmp_path / "other.parquet")
    with pytest.raises(DataError, match=r"other\.parquet: its columns do not have the types"):
        storage.read_folder(str(tmp_path), TRAJECTORIES)


@pytest.mark.parametrize("version", ["3", "0", "new"])
def test_a_file_of_a_version_that_we_do_not_know_is_refused(tmp_path: Path, version: str) -> None:
    table = trajectories_to_table([make_trajectory()])
    metadata = {**table.schema.metadata, b"agentdistill.version": version.encode()}
    pq.write_table(table.replace_schema_metadata(metadata), tmp_path / "other.parquet")
    newer = r" \(a newer version of agentdistill wrote it\)" if version == "3" else ""
    expected = rf"other\.parquet: its metadata says agentdistill\.version = {version}{newer}, expected 1 to 2"
    with pytest.raises(DataError, match=expected):
        storage.read_folder(str(tmp_path), TRAJECTORIES)
    with pytest.raises(DataError, match=expected):
        storage.read_columns(str(tmp_path / "other.parquet"), TRAJECTORIES, ["answer"])


def test_the_words_of_a_turn_are_stored_once() -> None:
    text = "A thought that is written down in one place alone."
    (row,) = trajectories_to_table([make_trajectory(steps=(make_step(text, "print('once')"),))]).to_pylist()
    assert str(row).count(text) == str(row).count("print('once')") == 1


def test_a_lone_surrogate_that_a_model_wrote_is_stored_as_one_question_mark() -> None:
    step = make_step("so \ud800", "print('\udfff', 'ü')", "\ud83d")
    trajectory = make_trajectory(question="\ud800?", steps=(step,), answer="\udc00")
    (read,) = trajectories_from_table(trajectories_to_table([trajectory]))
    assert (read.question, read.answer, read.steps[0].observation) == ("??", "?", "?")
    assert (read.steps[0].thought, read.steps[0].code) == ("so ?", "print('?', 'ü')")
    assert read.steps[0].parts == step.parts
    (example,) = examples_from_table(examples_to_table([to_example(trajectory)]))
    assert example.messages[-1].content == read.steps[0].text
