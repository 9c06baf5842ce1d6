"""The script that keeps a run's episodes in the repository and puts them back into a run folder."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest
from trajectories import STEP, make_trajectory

from agentdistill import storage
from agentdistill.rollout import take_inventory
from agentdistill.schema import TRAJECTORIES, trajectories_from_table, trajectories_to_table
from agentdistill.types import StopReason, Trajectory

SCRIPT = Path(__file__).parents[3] / "benchmarks" / "recorded.py"


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


@pytest.fixture
def questions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A question set as it is published, with the questions of `episode`."""
    examples = [{"id": number, "question": "What is 1?", "answer": "1"} for number in range(1, 4)]
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "gsm_hard_500.json").write_text(json.dumps({"examples": examples}))
    monkeypatch.setenv("AGENTDISTILL_DATA", str(tmp_path / "data"))


def episode(number: int = 1, **changes: object) -> Trajectory:
    return make_trajectory(question_id=f"gsm_hard-{number}", task="gsm_hard", **changes)


@pytest.mark.usefixtures("questions")
def test_episodes_come_back_as_they_were_but_for_their_token_ids(recorded: ModuleType, tmp_path: Path) -> None:
    run, anew = tmp_path / "runs" / "real", tmp_path / "elsewhere" / "real"
    failed = episode(3, stop_reason=StopReason.ENGINE_ERROR, answer=None, grade=None)
    write(run / "trajectories", [episode(2), episode(1), failed])
    write(run / "scores" / "before", [episode(role="student")])
    recorded.save(run)
    recorded.restore(anew)
    rows = read(anew / "trajectories")
    assert [row.question_id for row in rows] == ["gsm_hard-1", "gsm_hard-2"]
    assert rows[0].messages == make_trajectory().messages
    assert (rows[0].question, rows[0].gold_answers) == ("What is 1?", ("1",))
    assert rows[0].grade == make_trajectory().grade
    assert STEP.token_ids
    assert not any(step.token_ids for row in rows for step in row.steps)
    assert len(take_inventory(str(anew / "trajectories")).finished) == 2
    assert [row.role for row in read(anew / "scores" / "before")] == ["student"]


def test_what_is_recorded_holds_no_question_and_no_gold_answer(recorded: ModuleType, tmp_path: Path) -> None:
    write(tmp_path / "real" / "trajectories", [episode()])
    recorded.save(tmp_path / "real")
    (row,) = read(recorded.RECORDED / "real")
    assert (row.question, row.gold_answers) == ("<question>", ())
    assert [message.content for message in row.messages[:2]] == ["A long prompt.", "<question>"]
    assert row.messages[2:] == make_trajectory().messages[2:]


def test_nothing_is_put_over_episodes_that_are_there(recorded: ModuleType, tmp_path: Path) -> None:
    run = tmp_path / "real"
    write(run / "trajectories", [episode()])
    recorded.save(run)
    with pytest.raises(SystemExit, match="there are episodes already"):
        recorded.restore(run)
    with pytest.raises(SystemExit, match="nothing is recorded of a run of this name"):
        recorded.restore(tmp_path / "other")
