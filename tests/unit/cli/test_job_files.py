"""Each file in rayjobs/ does what the command of its name does: their dry runs are the same."""

import runpy
import sys
from pathlib import Path

import pytest

from agentdistill.cli import main

JOBS = Path(__file__).parents[3] / "rayjobs"
COMMANDS = {"index": ["index", "build"], "recipe": ["recipe", "run"]}
ARGUMENTS = ["--config", str(JOBS.parent / "configs" / "demo.yaml"), "train.epochs=3", "name=other"]


def job(name: str, *arguments: str) -> None:
    """Run a job file as `python rayjobs/NAME.py` does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [str(JOBS / f"{name}.py"), *arguments])
        runpy.run_path(str(JOBS / f"{name}.py"), run_name="__main__")


@pytest.mark.parametrize("name", sorted(path.stem for path in JOBS.glob("*.py")))
def test_a_job_files_dry_run_is_its_commands(
    name: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    job(name, *ARGUMENTS, "--dry-run")
    planned = capsys.readouterr().out
    main([*COMMANDS.get(name, [name]), *ARGUMENTS, "--dry-run"])
    assert planned == capsys.readouterr().out
    assert "Run other in runs/other" in planned
    assert list(tmp_path.iterdir()) == []


def test_the_job_that_distils_is_the_story_in_under_forty_lines() -> None:
    assert len((JOBS / "distill.py").read_text().splitlines()) < 40


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("distill", ["--config", "nowhere.yaml"], "agentdistill: nowhere.yaml: no such config file"),
        ("train", ["train.lr=1"], "agentdistill: override 'train.lr=1': unknown key train.lr"),
        ("train", ["folder=run"], "agentdistill: run: its phase 'select' is not done"),
        ("evaluate", ["folder=run"], "agentdistill: evaluate.cells: after is the trained student, but run holds none"),
        ("rollout", ["--nothing"], "unrecognized arguments: --nothing"),
    ],
)
def test_what_is_wrong_is_said_as_the_command_says_it(
    name: str,
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        job(name, *arguments)
    assert ended.value.code == 2
    assert message in " ".join(capsys.readouterr().err.split())


def test_a_job_that_is_interrupted_says_that_it_goes_on(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from agentdistill.run import job as working

    monkeypatch.setattr(sys, "argv", ["job.py", f"folder={tmp_path}", "--verbose"])
    with pytest.raises(SystemExit) as ended, working(__doc__):
        raise KeyboardInterrupt
    assert ended.value.code == 130
    assert "the same command goes on where this one was" in capsys.readouterr().err
