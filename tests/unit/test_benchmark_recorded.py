"""The script that keeps a run's episodes in the repository and puts them back into a run folder."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from trajectories import STEP, make_trajectory

from agentdistill import storage
from agentdistill.rollout import take_inventory
from agentdistill.schema import TRAJECTORIES, trajectories_from_table, trajectories_to_table
from agentdistill.types import StopReason, Trajectory

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "recorded.py"


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("recorded", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "RECORDED", tmp_path / "docs" / "recorded")
    return module


def write(folder: Path, rows: list[Trajectory]) -> None:
    storage.make_folder(str(folder))
    storage.write_table(str(folder / "part-1.parquet"), trajectories_to_table(rows))


def read(folder: Path) -> list[Trajectory]:
    return trajectories_from_table(storage.read_folder(str(folder), TRAJECTORIES))


def test_episodes_come_back_as_they_were_but_for_their_token_ids(recorded: ModuleType, tmp_path: Path) -> None:
    run, anew = tmp_path / "runs" / "real", tmp_path / "elsewhere" / "real"
    failed = make_trajectory(question_id="q3", stop_reason=StopReason.ENGINE_ERROR, answer=None, grade=None)
    write(run / "trajectories", [make_trajectory(question_id="q2"), make_trajectory(question_id="q1"), failed])
    write(run / "scores" / "before", [make_trajectory(role="student")])
    recorded.save(run)
    recorded.restore(anew)
    rows = read(anew / "trajectories")
    assert [row.question_id for row in rows] == ["q1", "q2"]
    assert rows[0].messages == make_trajectory().messages
    assert rows[0].grade == make_trajectory().grade
    assert STEP.token_ids
    assert not any(step.token_ids for row in rows for step in row.steps)
    assert len(take_inventory(str(anew / "trajectories")).finished) == 2
    assert [row.role for row in read(anew / "scores" / "before")] == ["student"]


def test_nothing_is_put_over_episodes_that_are_there(recorded: ModuleType, tmp_path: Path) -> None:
    run = tmp_path / "real"
    write(run / "trajectories", [make_trajectory()])
    recorded.save(run)
    with pytest.raises(SystemExit, match="there are episodes already"):
        recorded.restore(run)
    with pytest.raises(SystemExit, match="nothing is recorded of a run of this name"):
        recorded.restore(tmp_path / "other")
