"""One rollout for several students: what may be reused, what is refused, and what is copied."""

from pathlib import Path

import pytest
from trajectories import make_trajectory

from agentdistill import storage
from agentdistill.cli import main
from agentdistill.config import RunConfig, load
from agentdistill.errors import RunFolderError
from agentdistill.run import Run
from agentdistill.run.folder import RunFolder
from agentdistill.run.phases.base import Call
from agentdistill.run.record import records
from agentdistill.run.record.state import State
from agentdistill.run.reuse import check_source, reuse_rollout
from agentdistill.schema import TRAJECTORIES, questions_to_table, trajectories_to_table
from agentdistill.types import Kind, Question

QUESTIONS = [Question(f"q{i}", f"What is {i}?", (str(i),), Kind.MATH, "test") for i in range(3)]
SUMMARY = {"folder": "", "total": 3, "finished": 3, "failed": 0, "reused": 0, "duration_s": 9.0, "torn_files": []}


def config_for(folder: Path, name: str, *more: str) -> RunConfig:
    return load(None, [f"name={name}", f"folder={folder}/{name}", *more])


def rollout_call(config: RunConfig) -> Call:
    run = Run(config, planning=True)
    run.rollout()
    return run.calls[-1]


@pytest.fixture
def teacher(tmp_path: Path) -> RunFolder:
    """A finished rollout on three questions."""
    call = rollout_call(config_for(tmp_path, "teacher"))
    folder = call.folder
    storage.write_table(f"{folder.questions()}/train.parquet", questions_to_table(QUESTIONS))
    rows = [make_trajectory(run_id="teacher", question_id=question.id) for question in QUESTIONS]
    storage.write_table(storage.join(folder.trajectories(), "trajectories-0.parquet"), trajectories_to_table(rows))
    records.finish(State(folder.state), call, SUMMARY)
    return folder


def student(tmp_path: Path, teacher: RunFolder, *more: str) -> Call:
    call = rollout_call(config_for(tmp_path, "student", f"rollout.reuse={teacher.path}", *more))
    storage.write_table(f"{call.folder.questions()}/train.parquet", questions_to_table(QUESTIONS))
    return call


def test_the_trajectories_are_copied_as_they_are(tmp_path: Path, teacher: RunFolder) -> None:
    call = student(tmp_path, teacher)
    summary = reuse_rollout(call)
    assert (summary["total"], summary["reused"], summary["source"]) == (3, 3, teacher.path)
    tables = [storage.read_folder(folder, TRAJECTORIES) for folder in (teacher.trajectories(), call.output.path)]
    assert tables[0].equals(tables[1])


def test_a_copy_that_was_stopped_is_made_again(tmp_path: Path, teacher: RunFolder) -> None:
    call = student(tmp_path, teacher)
    storage.write_table(storage.join(call.output.path, "part-0.parquet"), trajectories_to_table([]))
    reuse_rollout(call)
    assert [path.rsplit("/", 1)[1] for path in storage.parquet_files(call.output.path)] == ["trajectories-0.parquet"]


def test_a_student_may_differ_in_everything_behind_the_rollout(tmp_path: Path, teacher: RunFolder) -> None:
    later = ["train.epochs=5", "select.drop_repeated=false", "evaluate.seeds=[3]", "rollout.actors=7"]
    check_source(student(tmp_path, teacher, *later))


@pytest.mark.parametrize("override", ["teacher.agent.max_steps=3", "rollout.samples=2", "retriever.k=5", "seed=1"])
def test_a_rollout_made_with_other_settings_is_refused(tmp_path: Path, teacher: RunFolder, override: str) -> None:
    key = override.partition("=")[0]
    with pytest.raises(RunFolderError, match=rf"cannot be reused, it was made with other settings \({key}: "):
        check_source(student(tmp_path, teacher, override))


def test_other_training_questions_are_refused(tmp_path: Path, teacher: RunFolder) -> None:
    call = student(tmp_path, teacher)
    storage.write_table(f"{call.folder.questions()}/train.parquet", questions_to_table(QUESTIONS[:2]))
    with pytest.raises(RunFolderError, match=r"1 training questions differ from this run's \('q2' is one\)"):
        reuse_rollout(call)


def test_an_unfinished_rollout_and_the_runs_own_folder_are_refused(tmp_path: Path, teacher: RunFolder) -> None:
    with pytest.raises(RunFolderError, match="there is no finished rollout to reuse"):
        check_source(student(tmp_path, RunFolder(str(tmp_path / "nowhere"))))
    with pytest.raises(RunFolderError, match="this run's own folder"):
        check_source(rollout_call(config_for(tmp_path, "teacher", f"rollout.reuse={teacher.path}/")))


def test_a_command_says_so_before_it_begins(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["distill", f"folder={tmp_path}/run", f"rollout.reuse={tmp_path}/nowhere"])
    assert ended.value.code == 2
    assert "there is no finished rollout to reuse" in capsys.readouterr().err
    assert not (tmp_path / "run" / "questions").exists()


def test_reuse_binds_the_run_folder(tmp_path: Path, teacher: RunFolder) -> None:
    call = student(tmp_path, teacher)
    records.begin(State(call.folder.state), call)
    plain = config_for(tmp_path, "student")
    with pytest.raises(RunFolderError, match=r"rollout\.reuse"):
        records.check(State(call.folder.state), rollout_call(plain), plain, ())
