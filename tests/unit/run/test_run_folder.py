"""The run folder: one process at a time, room on its disk, and the config of the last start."""

import multiprocessing
import os
import shutil
from collections import namedtuple
from pathlib import Path

import pytest
from run_parts import config_for

from agentdistill.cli import main
from agentdistill.config import load
from agentdistill.config.settings import binding
from agentdistill.errors import RunFolderError
from agentdistill.run.folder import RunFolder


def _hold(path: str, held: object, release: object) -> None:
    with RunFolder(path).locked():
        held.set()  # type: ignore[attr-defined]
        release.wait(30)  # type: ignore[attr-defined]


def test_two_commands_in_one_folder_are_refused_and_the_lock_dies_with_its_holder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    context = multiprocessing.get_context("spawn")
    held, release = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(str(tmp_path), held, release))
    other.start()
    assert held.wait(60)
    with pytest.raises(SystemExit) as ended:
        main(["select", f"folder={tmp_path}"])
    assert ended.value.code == 2
    assert "another agentdistill command works in this run folder" in capsys.readouterr().err
    assert not (tmp_path / "config.yaml").exists()
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
    config = config_for(tmp_path, engine)
    RunFolder(config.folder).prepare(config)
    stored = [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
    assert not [text for text in stored if "pass@" in text or "key=k" in text]
    again = load(tmp_path / "config.yaml")
    assert binding(again.teacher) == binding(config.teacher)


def test_the_resolved_config_is_saved_with_the_run(tmp_path: Path) -> None:
    config = config_for(tmp_path, "train.epochs=7")
    RunFolder(str(tmp_path)).prepare(config)
    assert load(tmp_path / "config.yaml") == config
