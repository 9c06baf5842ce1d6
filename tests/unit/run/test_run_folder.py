"""The run folder: one process at a time, one config, finished stages known."""

import multiprocessing
import os
import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from agentdistill.config import RunConfig, load
from agentdistill.errors import RunFolderError
from agentdistill.pipeline.folder import RunFolder, settings_of


def config_for(folder: Path, *overrides: str) -> RunConfig:
    return load(None, [f"folder={folder}", *overrides])


def test_a_finished_stage_is_not_to_do_again(tmp_path: Path) -> None:
    config, folder = config_for(tmp_path), RunFolder(str(tmp_path))
    assert folder.begin("select", config)
    assert folder.begin("select", config)
    folder.finish("select", config, {"kept": 3})
    assert not folder.begin("select", config)
    assert folder.summary("select") == {"kept": 3}


@pytest.mark.parametrize("finished", [True, False])
def test_another_config_is_refused_with_the_keys_that_differ(tmp_path: Path, finished: bool) -> None:
    config, folder = config_for(tmp_path), RunFolder(str(tmp_path))
    folder.begin("train", config)
    if finished:
        folder.finish("train", config, {})
    with pytest.raises(
        RunFolderError, match=r"'train' was made by another config \(train\.epochs: 2\.0 there, 3\.0 here"
    ):
        folder.check(["train"], config_for(tmp_path, "train.epochs=3"))


@pytest.mark.parametrize(
    "override",
    ["rollout.actors=4", "train.workers=2", "train.max_failures=9", "retriever.replicas=1", "cluster.num_cpus=3",
     "evaluate.engine.max_num_seqs=7", "sandbox.max_sessions=9"],
)  # fmt: skip
def test_settings_that_change_only_how_it_runs_may_change(override: str, tmp_path: Path) -> None:
    assert settings_of("evaluate", config_for(tmp_path)) == settings_of("evaluate", config_for(tmp_path, override))


@pytest.mark.parametrize(
    ("stage", "override"),
    [
        ("rollout", "teacher.agent.max_steps=3"),
        ("rollout", "rollout.samples=2"),
        ("rollout", "retriever.k=5"),
        ("train", "questions.train[0].limit=5"),
        ("train", "select.correct=false"),
        ("evaluate", "train.learning_rate=1"),
        ("evaluate", "evaluate.seeds=[1]"),
        ("select", "seed=5"),
        ("rollout", "name=other"),
    ],
)
def test_settings_that_change_the_result_count_for_every_later_stage(stage: str, override: str, tmp_path: Path) -> None:
    assert settings_of(stage, config_for(tmp_path)) != settings_of(stage, config_for(tmp_path, override))


def test_a_later_stages_settings_do_not_spoil_an_earlier_stage(tmp_path: Path) -> None:
    changed = config_for(tmp_path, "train.learning_rate=1")
    assert settings_of("rollout", config_for(tmp_path)) == settings_of("rollout", changed)


def _hold(path: str, held: object, release: object) -> None:
    with RunFolder(path).locked():
        held.set()  # type: ignore[attr-defined]
        release.wait(30)  # type: ignore[attr-defined]


def test_two_commands_in_one_folder_are_refused_and_the_lock_dies_with_its_holder(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    held, release = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(str(tmp_path), held, release))
    other.start()
    assert held.wait(30)
    with (
        pytest.raises(RunFolderError, match="another agentdistill command works in this run folder"),
        RunFolder(str(tmp_path)).locked(),
    ):
        pass
    other.kill()
    other.join()
    with RunFolder(str(tmp_path)).locked():
        assert os.path.exists(tmp_path / ".lock")


def test_a_disk_without_room_is_refused_before_anything_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(2**40, 2**40, 2**20))
    with pytest.raises(RunFolderError, match=r"0\.00 GiB free on its disk, expected at least 1"):
        RunFolder(str(tmp_path / "run")).prepare(config_for(tmp_path))


def test_the_stored_copy_of_a_config_with_credentials_is_the_same_run(tmp_path: Path) -> None:
    engine = "teacher.engine={engine: openai, model: m, base_url: 'https://user:pass@host/v1?key=k'}"
    folder, config = RunFolder(str(tmp_path)), config_for(tmp_path, engine)
    folder.prepare(config)
    folder.begin("rollout", config)
    stored = [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
    assert not [text for text in stored if "pass@" in text or "key=k" in text]
    folder.check(("rollout",), load(tmp_path / "config.yaml"))


def test_the_resolved_config_is_saved_with_the_run(tmp_path: Path) -> None:
    config = config_for(tmp_path, "train.epochs=7")
    RunFolder(str(tmp_path)).prepare(config)
    assert load(tmp_path / "config.yaml") == config
