"""The Slurm script, run with stand-ins for Slurm's commands and for Ray: which node starts how, what is submitted."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
SCRIPT = REPOSITORY / "cluster" / "slurm" / "distill.sbatch"
_STAND_INS = {
    "bin/scontrol": 'if [[ $1 == show ]]; then printf "node1\\nnode2\\nnode3\\n"; else echo "scontrol $*" >>"$LOG"; fi',
    "bin/srun": """
for argument in "$@"; do
    case $argument in --nodelist=*) node=${argument#--nodelist=} ;; esac
    case $argument in --*) shift ;; *) break ;; esac
done
NODE=$node exec "$@" """,
    "bin/hostname": "echo 10.0.0.1 fe80::1",
    "venv/bin/ray": 'echo "$NODE: ray $*" >>"$LOG"',
    "venv/bin/python": """
if [[ $1 == - ]]; then cat >/dev/null; echo "waits for $2 at $RAY_ADDRESS" >>"$LOG"; exit; fi
echo "job $*" >>"$LOG"
[[ -n ${SLOW:-} ]] || exit 0
trap 'echo "job stopped" >>"$LOG"; exit 1' TERM
echo started >>"$LOG"
for _ in {1..600}; do sleep 0.05; done""",
}


@pytest.fixture
def slurm(tmp_path):
    """The environment of a batch script on three nodes, and a log of what it does."""
    for name, body in _STAND_INS.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/bash\n{body}\n")
        path.chmod(0o755)
    return {
        "PATH": f"{tmp_path}/bin:{os.environ['PATH']}",
        "LOG": str(tmp_path / "log"),
        "AGENTDISTILL_VENV": str(tmp_path / "venv"),
        "SLURM_SUBMIT_DIR": str(REPOSITORY),
        "SLURM_JOB_NODELIST": "node[1-3]",
        "SLURM_JOB_ID": "1234567",
        "SLURM_CPUS_PER_TASK": "8",
    }


def run(env, *arguments):
    return subprocess.run(
        [shutil.which("bash"), SCRIPT, *arguments], env=env, capture_output=True, text=True, timeout=300
    )


def log(env):
    return Path(env["LOG"]).read_text().splitlines()


def test_one_head_and_a_worker_on_each_other_node(slurm):
    assert run(slurm).returncode == 0
    started = {line.split(": ")[0]: line for line in log(slurm) if ": ray start" in line}
    assert set(started) == {"node1", "node2", "node3"}
    assert "--head --node-ip-address=10.0.0.1 --port=24567" in started["node1"]
    assert all("--address=10.0.0.1:24567" in started[node] for node in ("node2", "node3"))


def test_the_job_starts_when_all_nodes_have_joined_and_gets_the_overrides(slurm):
    assert run(slurm, "train.epochs=1", "name=again").returncode == 0
    lines = log(slurm)
    job = "job rayjobs/distill.py --config configs/cluster/distill_7b_to_0.5b.yaml train.epochs=1 name=again"
    assert lines.index("waits for 3 at 10.0.0.1:24567") < lines.index(job)


def test_one_stage_is_a_job_of_its_own(slurm):
    chosen = {"AGENTDISTILL_JOB": "rollout", "AGENTDISTILL_CONFIG": "configs/paper/teacher.yaml"}
    assert run(slurm | chosen).returncode == 0
    assert "job rayjobs/rollout.py --config configs/paper/teacher.yaml" in log(slurm)


def test_near_the_time_limit_the_job_is_stopped_and_queued_again(slurm):
    process = subprocess.Popen([shutil.which("bash"), SCRIPT], env=slurm | {"SLOW": "1"}, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (Path(slurm["LOG"]).exists() and "started" in log(slurm)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGUSR1)
    process.wait(timeout=120)
    assert log(slurm)[-2:] == ["job stopped", "scontrol requeue 1234567"]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("AGENTDISTILL_CONFIG", "configs/none.yaml", "configs/none.yaml is not in"),
        ("AGENTDISTILL_JOB", "none", "rayjobs/none.py is not in"),
        ("AGENTDISTILL_VENV", "/nowhere", "no Ray in /nowhere"),
    ],
)
def test_what_is_not_there_is_said_before_anything_starts(slurm, name, value, said):
    done = run(slurm | {name: value})
    assert done.returncode == 2
    assert said in done.stderr
    assert not Path(slurm["LOG"]).exists()
