"""The command line: what it prints, and with which status it ends."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from agentdistill.config import load
from agentdistill.run import Run
from agentdistill.run.folder import RunFolder
from agentdistill.run.record import records
from agentdistill.run.record.state import Record, State

CONFIGS = Path(__file__).parents[3] / "configs"


def run(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "agentdistill", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=500, **options)  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["rollout", "--config", "nowhere.yaml"], ["nowhere.yaml: no such config file"]),
        (["train", "train.lr=1"], ["unknown key train.lr"]),
        (["distill", "seed=-3"], ["seed", "-3", "at least 0"]),
        (["report", "nowhere"], ["nowhere"]),
        (["evaluate", "folder=run"], ["evaluate.cells", "after is the trained student", "run holds none"]),
        (["status", "nowhere"], ["nowhere: nothing was begun here"]),
        (["index", "info", "nowhere"], ["nowhere"]),
        (["index", "search", "a question", "retriever.folder=nowhere"], ["nowhere"]),
        (["sandbox", "run", "nowhere.py"], ["nowhere.py", "cannot be read"]),
        (["train", "--preview", "3", "folder=nowhere"], ["nowhere", "no such file"]),
    ],
)
def test_bad_input_is_one_sentence_and_status_2(arguments: list[str], parts: list[str], tmp_path: Path) -> None:
    ended = run(*arguments, cwd=tmp_path)
    assert ended.returncode == 2, ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stderr.startswith("agentdistill: ")
    for part in parts:
        assert part in ended.stderr


def test_an_unknown_command_and_an_unknown_option_end_with_status_2() -> None:
    assert run("distil").returncode == 2
    assert run("rollout", "--configg", "x").returncode == 2


def test_help_names_every_command() -> None:
    shown = run("--help").stdout
    for command in (
        "demo", "doctor", "rollout", "select", "train", "evaluate", "distill", "report", "serve", "index", "sandbox",
        "import", "recipe", "status",
    ):  # fmt: skip
        assert command in shown


def test_a_dry_run_prints_the_stages_and_leaves_no_trace(tmp_path: Path) -> None:
    ended = run("distill", "--config", str(CONFIGS / "demo.yaml"), "--dry-run", f"folder={tmp_path}/run", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    for stage in ("questions", "index", "rollout", "select", "train", "evaluate", "report"):
        assert stage in ended.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_run_folder_made_by_another_config_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    folder = RunFolder(str(tmp_path / "run"))
    folder.prepare(load(None, [f"folder={folder.path}"]))
    planned = Run(load(None, [f"folder={folder.path}"]), planning=True)
    planned.select()
    records.begin(State(folder.state), planned.calls[0])
    before = Path(folder.config).read_text()
    ended = run("select", f"folder={folder.path}", "select.correct=false")
    assert ended.returncode == 2
    assert "made by another config (select.correct: True there, False here" in ended.stderr
    assert Path(folder.config).read_text() == before


@pytest.mark.slow
def test_doctor_prints_every_part_as_a_table_and_as_json() -> None:
    shown = run("doctor").stdout
    names = [finding["name"] for finding in json.loads(run("doctor", "--json").stdout)]
    for name in (
        "Python", "torch", "accelerator", "vLLM", "DeepSpeed", "FAISS", "Ray", "Landlock", "seccomp", "shared memory",
        "disk",
    ):  # fmt: skip
        assert name in names
        assert name in shown


def test_sandbox_run_prints_the_outcome_and_says_by_its_status_whether_the_code_failed(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text("print('hello')\n6 * 7\n")
    ended = run("sandbox", "run", str(program), "--json", "sandbox.preload=[]")
    assert ended.returncode == 0, ended.stderr
    outcome = json.loads(ended.stdout)
    assert (outcome["stdout"], outcome["value"]) == ("hello\n", "42")
    program.write_text("1 / 0\n")
    ended = run("sandbox", "run", str(program), "sandbox.preload=[]")
    assert ended.returncode == 1
    assert "ZeroDivisionError" in ended.stderr


def test_the_resolved_config_can_be_printed() -> None:
    assert "learning_rate: 0.5" in run("config", "train.learning_rate=0.5").stdout


def test_status_shows_a_summary_that_it_cannot_put_in_words_as_it_is(tmp_path: Path) -> None:
    state = State(str(tmp_path / "state"))
    state.finish("rollout", Record("rollout", {}, {}), {"episodes": 7})
    ended = run("status", str(tmp_path))
    assert (ended.returncode, "{'episodes': 7}" in ended.stdout) == (0, True), ended.stderr
