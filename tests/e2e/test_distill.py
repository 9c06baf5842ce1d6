"""The whole path with its real parts, as small as it gets: vLLM, DeepSpeed, Ray, and a real student."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import ray
from ray.cluster_utils import Cluster

from agentdistill import storage
from agentdistill.schema import TRAJECTORIES, trajectories_from_table

pytestmark = [pytest.mark.slow, pytest.mark.ray, pytest.mark.timeout(1_800)]

ROOT = Path(__file__).parents[2]
SMALL = [
    "questions.train=[{task: world, limit: 8}]",
    "questions.test=[{task: world, split: test, limit: 4}]",
    "train.batch_size=4",
    "train.max_steps=2",
    "evaluate.agent.max_steps=2",
    "evaluate.agent.max_tokens=24",
    # Two modes of one model share an engine.
    "evaluate.cells=[{name: before}, {name: before-cot, mode: cot}, {name: after, trained: true}]",
]
#: No engine to load: the expert takes the student's place in the evaluation.
EXPERT = [
    "evaluate.engine.engine=scripted",
    "evaluate.engine.expert=world",
    "evaluate.agent.max_steps=5",
    "evaluate.cells=[{name: expert}]",
]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The built-in corpus's index, built once for all runs here."""
    folder = str(tmp_path_factory.mktemp("index") / "index")
    command = [
        sys.executable,
        "-m",
        "agentdistill",
        "index",
        "build",
        "-c",
        "configs/demo.yaml",
        f"retriever.folder={folder}",
        f"folder={folder}-run",
    ]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return folder


def arguments(folder: Path, index: str, *more: str) -> list[str]:
    return ["--config", "configs/demo.yaml", f"folder={folder}", f"retriever.folder={index}", *SMALL, *more]


def check_run(folder: Path, cells: set[str]) -> None:
    """What every finished run holds."""
    rows = trajectories_from_table(storage.read_folder(str(folder / "trajectories"), TRAJECTORIES))
    assert len({row.key for row in rows}) == len(rows) == 8
    assert all(row.grade is not None and row.grade.correct for row in rows)
    assert json.loads((folder / "select.json").read_text())["total"] == 8
    metrics = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in metrics] == [1, 2]
    assert (folder / "student" / "config.json").exists()
    scores = json.loads((folder / "scores" / "scores.json").read_text())
    assert set(scores) == cells
    assert all(cell["num_questions"] == 4 and cell["num_failed"] == 0 for cell in scores.values())
    assert (folder / "report" / "report.html").stat().st_size > 10_000
    assert not list(folder.rglob(".writing-*"))


def test_ray_job_submit_runs_the_whole_distillation(tmp_path: Path, index: str) -> None:
    folder = tmp_path / "run"
    # Jobs come in at the agent's port, which is a fixed one unless it is asked for: another cluster may be there.
    head = {"num_cpus": 6, "object_store_memory": 256 * 2**20, "include_dashboard": True, "dashboard_port": 0}
    cluster = Cluster(True, connect=True, head_node_args={**head, "dashboard_agent_listen_port": 0})
    try:
        command = [
            str(Path(sys.executable).parent / "ray"), "job", "submit", "--address", f"http://{cluster.webui_url}",
            "--", sys.executable, str(ROOT / "rayjobs" / "distill.py"), *arguments(folder, index),
        ]  # fmt: skip
        ended = _submit(command)
        assert ended.returncode == 0, ended.stdout[-4_000:] + ended.stderr[-2_000:]
        assert "Student on held-out questions" in ended.stdout
        assert ray.is_initialized()
        assert ray.cluster_resources()["CPU"] == 6
    finally:
        ray.shutdown()
        cluster.shutdown()
    check_run(folder, {"before", "before-cot", "after"})


def test_a_run_that_is_stopped_again_and_again_finishes_with_the_same_result(tmp_path: Path, index: str) -> None:
    folder = tmp_path / "run"
    command = [sys.executable, "-m", "agentdistill", "distill", *arguments(folder, index, *EXPERT)]
    _stop_when(command, folder, lambda: (folder / "state" / "rollout.json").exists(), signal.SIGKILL)
    _stop_when(command, folder, lambda: any((folder / "trajectories").glob("*.parquet")), signal.SIGINT)
    _stop_when(command, folder, lambda: (folder / "state" / "train.json").exists(), signal.SIGKILL)
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=_environment())
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "Teacher rollouts: done before" in ended.stdout
    check_run(folder, {"expert"})
    again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=_environment())
    assert again.returncode == 0
    assert again.stdout.count("done before") == 7


def _submit(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Submit, again while the new cluster's agent, which starts jobs, is not up yet."""
    deadline = time.monotonic() + 300
    while True:
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=_environment())
        if "No available agent" not in ended.stdout + ended.stderr or time.monotonic() > deadline:
            return ended
        time.sleep(1)


def _environment() -> dict[str, str]:
    """A shell's environment: of what Ray set in this process, only how to authenticate reaches the command."""
    return {name: value for name, value in os.environ.items() if name == "RAY_AUTH_MODE" or not name.startswith("RAY_")}


def _stop_when(command: list[str], folder: Path, condition: object, how: signal.Signals) -> None:
    """Start the command in a process group, and end the group with `how` once the condition holds."""
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        start_new_session=True,
        env=_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # A shell's background jobs ignore it, and what they start does too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 900
    while not condition() and process.poll() is None:  # type: ignore[operator]
        assert time.monotonic() < deadline, f"nothing to stop in {folder}"
        time.sleep(0.05)
    os.killpg(process.pid, how)
    status = process.wait(300)
    assert status != 0
