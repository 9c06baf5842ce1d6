"""How the phases' messages name places."""

from pathlib import Path

import pytest

from agentdistill.run.phases.train import shown_path


def test_a_path_is_shown_as_it_is_written_from_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert shown_path(str(Path.cwd() / "runs" / "demo" / "student")) == "runs/demo/student"


@pytest.mark.parametrize("path", ["/elsewhere/student", "s3://bucket/run/student"])
def test_a_path_outside_the_working_directory_is_shown_whole(path: str) -> None:
    assert shown_path(path) == path
