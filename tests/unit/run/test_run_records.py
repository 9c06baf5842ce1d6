"""The records of a run folder: what is done, what goes on, what is made again, and what is refused."""

import json
from pathlib import Path

import pytest
from run_parts import SUMMARIES, Worked, config_for

from agentdistill.errors import RunFolderError
from agentdistill.recipes.paper import distill
from agentdistill.run import Run, Student

ALL = ["questions", "index", "rollout", "select", "train", "evaluate", "report"]


@pytest.fixture
def worked() -> Worked:
    return Worked()


def again(worked: Worked, *arguments: object) -> list[str]:
    """The phases that work when the recipe is run once more."""
    worked.names.clear()
    distill(worked.run(config_for(*arguments)))  # type: ignore[arg-type]
    return list(worked.names)


def record(folder: Path, name: str) -> dict[str, object]:
    return dict(json.loads((folder / "state" / f"{name}.json").read_text()))


def test_a_record_says_what_a_phase_was_made_of_and_with(tmp_path: Path, worked: Worked) -> None:
    assert again(worked, tmp_path) == ALL
    found = record(tmp_path, "select")
    assert (found["version"], found["kind"], found["inputs"]) == (2, "select", {"trajectories": "rollout"})
    assert found["summary"] == SUMMARIES["select"]
    assert set(found["settings"]) == {"select", "tools"}
    assert found["made_of"] == {"trajectories": record(tmp_path, "rollout")["made_by"]}
    assert record(tmp_path, "rollout")["inputs"] == {"questions": "questions.train", "index": "index"}


def test_what_is_done_is_not_done_again(tmp_path: Path, worked: Worked, capsys: pytest.CaptureFixture[str]) -> None:
    again(worked, tmp_path)
    assert again(worked, tmp_path, "train.workers=2", "rollout.actors=3") == []
    assert capsys.readouterr().out.count("done before") == len(ALL)


@pytest.mark.parametrize("phase", ALL)
def test_a_phase_that_was_killed_goes_on_with_the_same_command(tmp_path: Path, worked: Worked, phase: str) -> None:
    worked.raising = phase
    with pytest.raises(RuntimeError, match=f"{phase} was killed"):
        again(worked, tmp_path)
    worked.raising = None
    assert again(worked, tmp_path) == ALL[ALL.index(phase) :]
    assert again(worked, tmp_path) == []


@pytest.mark.parametrize("killed", [None, "train"])
def test_another_config_is_refused_with_the_keys_that_differ(
    tmp_path: Path, worked: Worked, killed: str | None
) -> None:
    worked.raising = killed
    try:
        again(worked, tmp_path)
    except RuntimeError:
        worked.raising = None
    with pytest.raises(
        RunFolderError, match=r"its phase 'train' was made by another config \(train\.epochs: 2\.0 there, 3\.0 here\)"
    ):
        again(worked, tmp_path, "train.epochs=3")


def test_a_phase_is_bound_by_what_it_is_made_from(tmp_path: Path, worked: Worked) -> None:
    again(worked, tmp_path)
    run = worked.run(config_for(tmp_path, "teacher.agent.max_steps=3"))
    with pytest.raises(
        RunFolderError, match=r"its phase 'rollout' was made by another config \(teacher\.agent\.max_st"
    ):
        run.train()


def test_other_inputs_are_refused_too(tmp_path: Path, worked: Worked) -> None:
    again(worked, tmp_path)
    worked.run(config_for(tmp_path)).train(name="b")
    run = worked.run(config_for(tmp_path))
    examples = run.select(name="b")
    with pytest.raises(RunFolderError, match=r"'train-b' was made by .*inputs\.examples: select there, select-b here"):
        run.train(examples, name="b")


def test_a_plan_is_checked_before_anything_is_changed(tmp_path: Path, worked: Worked) -> None:
    worked.raising = "rollout"
    with pytest.raises(RuntimeError):
        again(worked, tmp_path)
    config = config_for(tmp_path, "rollout.samples=2", "questions.train=[]")
    planned = Run(config, planning=True)
    distill(planned)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(RunFolderError, match="'questions' was made by another config"):
        Run(config).check(planned)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_record_of_a_newer_version_is_refused(tmp_path: Path, worked: Worked) -> None:
    again(worked, tmp_path)
    path = tmp_path / "state" / "rollout.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "version": 3}))
    with pytest.raises(RunFolderError, match=r"rollout\.json: a record of version 3, expected at most 2; go on with"):
        again(worked, tmp_path)


FAILED = {**SUMMARIES["rollout"], "failed": 1}


def test_a_rollout_with_failures_is_gone_on_with_and_selected_anew_until_something_is_trained(
    tmp_path: Path, worked: Worked
) -> None:
    worked.summaries = {"rollout": FAILED}
    worked.raising = "train"
    with pytest.raises(RuntimeError):
        again(worked, tmp_path)
    (tmp_path / "state" / "train.json").unlink()
    worked.summaries, worked.raising = {}, None
    assert again(worked, tmp_path) == ["rollout", "select", "train", "evaluate", "report"]
    worked.summaries = {"rollout": FAILED}
    (tmp_path / "state" / "rollout.json").unlink()
    assert again(worked, tmp_path) == ["rollout"]
    worked.summaries = {}
    assert again(worked, tmp_path) == []


def test_an_evaluation_with_lost_episodes_is_gone_on_with_and_reported_anew(tmp_path: Path, worked: Worked) -> None:
    whole = SUMMARIES["evaluate"]
    cells = {name: {**cell, "num_lost": 1} for name, cell in whole["cells"].items()}
    worked.summaries = {"evaluate": {**whole, "cells": cells}}
    again(worked, tmp_path)
    worked.summaries = {}
    assert again(worked, tmp_path) == ["evaluate", "report"]
    assert again(worked, tmp_path) == []


def test_two_rounds_lie_side_by_side_and_are_bound_by_their_own_settings(tmp_path: Path, worked: Worked) -> None:
    def rounds(run: Run) -> None:
        questions = run.questions()
        run.index()
        for number in (1, 2):
            name = f"round{number}"
            taught = run.rollout(questions.train, name=name, samples=number)
            student = run.train(run.select(taught, name=name), name=name, epochs=number)
            assert student.path == f"{tmp_path}/students/{name}/adapter"
            assert taught.path == f"{tmp_path}/trajectories-{name}"

    rounds(worked.run(config_for(tmp_path)))
    worked.names.clear()
    rounds(worked.run(config_for(tmp_path)))
    assert worked.names == []
    assert record(tmp_path, "train-round2")["settings"]["train"]["epochs"] == 2
    # What a call gave itself is not held against the config of a later command.
    run = worked.run(config_for(tmp_path))
    assert run.evaluate(student=run.made("train", Student, "round2"), name="b").summary


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "select.json: not valid JSON"),
        ('{"version": 2, "kind": "sel', "select.json: not valid JSON"),
        ("[]", "select.json: holds no record of a phase"),
        ("null", "select.json: holds no record of a phase"),
        ('{"version": 2}', "select.json: holds no record of a phase"),
        ('{"version": 2, "kind": "select", "inputs": null, "settings": {}}', "select.json: holds no record of a phase"),
        ('{"version": 1, "settings": {}}', "select.json: holds no record of a phase"),
    ],
)
def test_a_file_that_is_no_record_is_named_with_what_to_do(
    tmp_path: Path, worked: Worked, content: str, message: str
) -> None:
    again(worked, tmp_path)
    (tmp_path / "state" / "select.json").write_text(content)
    with pytest.raises(RunFolderError, match=message) as raised:
        again(worked, tmp_path)
    assert "remove it to make select again" in str(raised.value)
    assert worked.names == []
    (tmp_path / "state" / "select.json").unlink()
    assert "select" in again(worked, tmp_path)
