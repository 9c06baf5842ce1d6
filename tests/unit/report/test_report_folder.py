"""Reading run folders: what is missing or broken is said, never fatal."""

import json

import pytest
import yaml
from report_runs import Shape, write_run

from agentdistill.errors import DataError, RunFolderError
from agentdistill.report.folder import read_run, read_runs
from agentdistill.report.questions import check_same_questions

SMALL = Shape(questions=4, teacher=6)


def notes(run):
    return {(note.part, note.state): note.detail for note in run.notes}


def test_a_whole_run_is_read_without_a_note(tmp_path):
    run = read_run(str(write_run(tmp_path / "run", SMALL)))
    assert run.notes == []
    assert [cell.name for cell in run.cells] == ["before", "after", "after-sag"]
    assert len(run.teacher.facts) == 6
    assert run.funnel.total == run.funnel.kept + sum(run.funnel.dropped.values()) == 6
    assert [cell.trained for cell in run.cells] == [False, True, True]
    assert [cell.num_candidates for cell in run.cells] == [1, 1, 4]


def test_no_such_folder_is_an_error(tmp_path):
    with pytest.raises(RunFolderError, match="no such run folder"):
        read_run(str(tmp_path / "none"))


def test_a_folder_of_something_else_is_an_error(tmp_path):
    (tmp_path / "readme.txt").write_text("hello")
    with pytest.raises(RunFolderError, match=r"holds nothing of a run; expected at least one of config\.yaml"):
        read_run(str(tmp_path))


def test_half_a_folder_is_read_and_the_other_half_is_named(tmp_path):
    folder = write_run(tmp_path / "run", SMALL)
    for name in ("config.yaml", "metrics.jsonl", "select.json"):
        (folder / name).unlink()
    for path in [*folder.glob("trajectories/*"), *folder.glob("training_set/*")]:
        path.unlink()
    run = read_run(str(folder))
    missing = {part for part, state in notes(run) if state == "missing"}
    assert missing == {"config.yaml", "metrics.jsonl", "select.json", "trajectories", "training_set"}
    assert len(run.cells) == 3


def test_a_cell_that_the_config_asks_for_and_that_has_no_scores_is_named(tmp_path):
    folder = write_run(tmp_path / "run", SMALL)
    for path in folder.glob("scores/after/*"):
        path.unlink()
    (folder / "scores" / "after").rmdir()
    assert ("scores/after", "missing") in notes(read_run(str(folder)))


@pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], lambda data: b"", lambda data: b"no parquet"])
def test_a_torn_parquet_file_is_named_and_the_others_are_read(tmp_path, damage):
    folder = write_run(tmp_path / "run", SMALL)
    torn = next(folder.glob("scores/after/*.parquet"))
    torn.write_bytes(damage(torn.read_bytes()))
    run = read_run(str(folder))
    assert str(torn) in notes(run)["scores/after", "broken"]
    assert [cell.name for cell in run.cells] == ["before", "after-sag"]


def test_a_parquet_file_of_another_schema_is_named(tmp_path):
    folder = write_run(tmp_path / "run", SMALL)
    other = next(folder.glob("training_set/*.parquet"))
    place = next(folder.glob("scores/after/*.parquet"))
    place.write_bytes(other.read_bytes())
    assert str(place) in notes(read_run(str(folder)))["scores/after", "broken"]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("config.yaml", "a: [1", "not valid YAML"),
        ("config.yaml", "- 1", "holds a list, expected `key: value` lines"),
        ("select.json", "{", "not valid JSON"),
        ("select.json", '{"kept": "many", "dropped": {}}', "expected"),
        ("metrics.jsonl", '{"step": 1, "loss": 2.0}\n{"step": 2, "lo', "line 2: not valid JSON"),
        ("metrics.jsonl", '{"loss": 2.0}', "line 1: expected an object with a number `step`"),
    ],
)
def test_a_broken_text_file_is_named_with_the_reason(tmp_path, name, text, said):
    folder = write_run(tmp_path / "run", SMALL)
    (folder / name).write_text(text)
    detail = notes(read_run(str(folder)))[name, "broken"]
    assert str(folder / name) in detail
    assert said in detail


def test_the_good_lines_of_torn_metrics_are_kept(tmp_path):
    folder = write_run(tmp_path / "run", SMALL)
    (folder / "metrics.jsonl").write_text('{"step": 1, "loss": 2.0, "loss_scale": NaN, "grad_norm": Infinity}\n{"step"')
    assert read_run(str(folder)).metrics == [{"step": 1, "loss": 2.0}]


def test_the_seeds_of_a_cell_are_put_together(tmp_path):
    shape = Shape(questions=4, teacher=6, cells=(("before-s0", 0.1, 1), ("before-s1", 0.9, 1)))
    folder = write_run(tmp_path / "run", shape)
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["evaluate"]["cells"] = [{"name": "before"}]
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    (cell,) = read_run(str(folder)).cells
    assert (cell.name, len(cell.facts)) == ("before", 16)


def test_a_finished_episode_counts_before_its_failed_first_try(tmp_path):
    from dataclasses import replace

    from report_runs import cell_trajectories

    from agentdistill import storage
    from agentdistill.schema import trajectories_to_table
    from agentdistill.types import StopReason

    folder = write_run(tmp_path / "run", SMALL)
    good = list(cell_trajectories(SMALL, "again", 1.0, 1))
    failed = [replace(item, stop_reason=StopReason.ENGINE_ERROR, grade=None) for item in good]
    for number, rows in enumerate([failed, good, failed]):
        storage.write_table(str(folder / "scores" / "again" / f"part-{number}.parquet"), trajectories_to_table(rows))
    cell = read_run(str(folder)).cells[-1]
    assert (cell.summary.num_episodes, cell.summary.num_failed) == (len(good), 0)


def test_two_runs_get_names_of_their_own(tmp_path):
    folders = [str(write_run(tmp_path / name, SMALL, name="same")) for name in ("a", "b")]
    runs = read_runs(folders)
    assert [run.name for run in runs] == folders
    assert runs[1].cells[0].label == f"{folders[1]} / before"


def test_two_runs_on_different_questions_are_refused_with_the_reason(tmp_path):
    first = write_run(tmp_path / "a", SMALL, name="a")
    second = write_run(tmp_path / "b", Shape(questions=5, teacher=6), name="b")
    with pytest.raises(DataError, match=r"evaluated on different questions of hotpotqa \(4 against 5"):
        check_same_questions(read_runs([str(first), str(second)]))


def test_two_runs_on_different_tasks_are_refused_with_the_reason(tmp_path):
    first = write_run(tmp_path / "a", SMALL, name="a")
    second = write_run(tmp_path / "b", Shape(questions=4, teacher=6, tasks=("aime",)), name="b")
    with pytest.raises(DataError, match=r"no task in common \(hotpotqa, math500 against aime\)"):
        check_same_questions(read_runs([str(first), str(second)]))


def test_two_runs_on_the_same_questions_are_accepted(tmp_path):
    folders = [str(write_run(tmp_path / name, Shape(questions=4, teacher=6), name=name)) for name in ("a", "b")]
    check_same_questions(read_runs(folders))


def test_the_funnel_may_leave_out_its_total(tmp_path):
    folder = write_run(tmp_path / "run", SMALL)
    (folder / "select.json").write_text(json.dumps({"kept": 3, "dropped": {"wrong answer": 2}}))
    assert read_run(str(folder)).funnel.total == 5
