"""Run folders whose records were written before phases had names: every phase of them is done before."""

import json
import shutil
from pathlib import Path

import pytest

from agentdistill.cli import main
from agentdistill.config import RunConfig, load
from agentdistill.errors import RunFolderError
from agentdistill.recipes.choose import recipe_of
from agentdistill.run import Run
from agentdistill.run.job import perform
from agentdistill.run.record import records
from agentdistill.run.record.state import State
from agentdistill.run.record.version_1 import converted

FIXTURE = Path(__file__).parents[2] / "data" / "run_v1"
ALL = ("questions", "index", "rollout", "select", "train", "evaluate", "report")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(FIXTURE, tmp_path / "run")
    return tmp_path / "run"


def config_for(folder: Path, *overrides: str) -> RunConfig:
    return load(folder / "given.yaml", [f"folder={folder}", *overrides])


def distill(config: RunConfig) -> None:
    perform(recipe_of(config), config, "distill", verbose=True, dry_run=False)


def test_every_phase_is_done_before_and_its_record_stays(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {name: (folder / "state" / f"{name}.json").read_text() for name in ALL}
    distill(config_for(folder))
    assert capsys.readouterr().out.count("done before") == len(ALL)
    assert {name: (folder / "state" / f"{name}.json").read_text() for name in ALL} == before


@pytest.mark.parametrize(
    ("override", "phase"),
    [
        ("retriever.k=5", "index"),
        ("rollout.samples=2", "rollout"),
        ("seed=3", "rollout"),
        ("select.correct=false", "select"),
        ("train.epochs=3", "train"),
        ("evaluate.seeds=[4]", "evaluate"),
    ],
)
def test_other_settings_are_refused_by_the_phase_that_they_change(folder: Path, override: str, phase: str) -> None:
    key = override.partition("=")[0]
    with pytest.raises(RunFolderError, match=rf"its phase '{phase}' was made by another config \({key}"):
        distill(config_for(folder, override))


def test_a_rollout_that_had_failures_is_gone_on_with_where_nothing_is_trained(folder: Path) -> None:
    path = folder / "state" / "rollout.json"
    content = json.loads(path.read_text())
    content["summary"]["failed"] = 1
    path.write_text(json.dumps(content))
    planned = Run(config_for(folder), planning=True)
    planned.rollout()
    state = State(planned.folder.state)
    assert not records.is_to_do(state, planned.calls[0])
    for later in ("train", "evaluate", "report"):
        (folder / "state" / f"{later}.json").unlink()
    assert records.is_to_do(state, planned.calls[0])


def test_prompts_without_search_count_as_those_that_describe_the_tools_there_are() -> None:
    settings = {
        "teacher": {"agent": {"prompt": "teacher_code"}},
        "evaluate": {"agent": {"prompt": "student_code"}, "cells": [{"agent": {"prompt": "student_code"}}]},
        "select": {"prompt": "student_code"},
    }
    found = converted("evaluate", {"settings": settings, "summary": None, "finished_at": None})
    assert found["settings"] == {
        "teacher": {"agent": {"prompt": "teacher"}},
        "evaluate": {"agent": {"prompt": "student"}, "cells": [{"agent": {"prompt": "student"}}]},
        "select": {"prompt": "student"},
    }


def test_its_status_is_shown_in_the_order_of_the_path(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "state" / "train.json").write_text(
        json.dumps({**json.loads((folder / "state" / "train.json").read_text()), "finished_at": None})
    )
    main(["status", str(folder)])
    lines = [line.split(maxsplit=2) for line in capsys.readouterr().out.splitlines()[1:]]
    assert [line[0] for line in lines] == list(ALL)
    assert lines[2][2].strip() == "4 of 4 episodes"
    assert lines[4][1].strip() == "begun"
