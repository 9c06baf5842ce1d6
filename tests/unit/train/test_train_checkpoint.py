"""Checkpoints are complete or not visible, and a torn one is named and passed over."""

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch
from train_parts import tiny_config
from train_runs import CHECKPOINTS, curve, run_python, worker_arguments

from agentdistill.config.train import CheckpointConfig
from agentdistill.errors import CheckpointError
from agentdistill.train.checkpoint import (
    STATE,
    TENSORS,
    CheckpointWriter,
    TrainState,
    find_checkpoints,
    read_state,
    write_checkpoint,
)
from agentdistill.train.job import train

pytestmark = pytest.mark.slow

WEIGHTS = {"weight:a": torch.arange(4.0)}


def write(folder: Path, step: int) -> Path:
    return write_checkpoint(folder, WEIGHTS, TrainState(step=step))


def test_a_checkpoint_reads_back_as_it_was_written(tmp_path):
    path = write_checkpoint(tmp_path, WEIGHTS, TrainState(step=7, best_held_out=0.5))

    assert read_state(path).step == 7
    assert read_state(path).best_held_out == 0.5
    assert find_checkpoints(tmp_path) == [path]


@pytest.mark.parametrize("fault", ["short weights", "no state", "half a state", "no weights"])
def test_a_torn_checkpoint_is_named_and_the_earlier_one_used(tmp_path, fault):
    earlier, torn = write(tmp_path, 1), write(tmp_path, 2)
    if fault == "short weights":
        (torn / TENSORS).write_bytes((torn / TENSORS).read_bytes()[:-1])
    elif fault == "no state":
        (torn / STATE).unlink()
    elif fault == "half a state":
        (torn / STATE).write_text((torn / STATE).read_text()[:10])
    else:
        (torn / TENSORS).unlink()
    warnings: list[str] = []

    assert find_checkpoints(tmp_path, warnings.append) == [earlier]
    assert len(warnings) == 1
    assert str(torn) in warnings[0]
    assert "ignored" in warnings[0]


def test_a_checkpoint_under_way_is_not_visible_and_is_named(tmp_path):
    partial = tmp_path / ".checkpoint-000002.partial"
    partial.mkdir()
    (partial / TENSORS).write_bytes(b"half")
    warnings: list[str] = []

    assert find_checkpoints(tmp_path, warnings.append) == []
    assert str(partial) in warnings[0]


def test_reading_a_torn_checkpoint_says_what_is_wrong(tmp_path):
    path = write(tmp_path, 3)
    (path / TENSORS).write_bytes(b"")

    with pytest.raises(CheckpointError, match=r"torn checkpoint: trained.safetensors has 0 bytes, expected \d+"):
        read_state(path)


def test_the_writer_keeps_the_last_ones_and_the_best(tmp_path):
    writer = CheckpointWriter(tmp_path, keep=2)
    for step in range(1, 6):
        writer.write(WEIGHTS, TrainState(step=step, best_step=2))
    writer.wait()

    assert [path.name[-1] for path in find_checkpoints(tmp_path)] == ["2", "4", "5"]


def test_a_folder_that_cannot_be_written_is_reported_at_the_next_wait(tmp_path):
    (tmp_path / "file").write_text("")
    writer = CheckpointWriter(tmp_path / "file", keep=1)
    writer.write(WEIGHTS, TrainState(step=1))

    with pytest.raises(CheckpointError, match="cannot write the checkpoint"):
        writer.wait()


class Held(dict):
    """Tensors that a writer gets only when `go` is set."""

    def __init__(self, tensors: dict[str, torch.Tensor]):
        super().__init__(tensors)
        self.go = threading.Event()

    def items(self):
        assert self.go.wait(60)
        return super().items()


def test_training_goes_on_while_a_checkpoint_is_written(tmp_path):
    writer, tensors = CheckpointWriter(tmp_path, keep=2), Held(WEIGHTS)

    writer.write(tensors, TrainState(step=1))
    assert find_checkpoints(tmp_path) == []

    tensors.go.set()
    writer.wait()
    assert [path.name for path in find_checkpoints(tmp_path)] == ["checkpoint-000001"]


@pytest.mark.parametrize(("minutes", "expected"), [(1e-9, 3), (1e9, 0)])
def test_a_checkpoint_is_taken_when_so_many_minutes_have_passed(training_set, tmp_path, minutes, expected):
    settings = CheckpointConfig(every_steps=None, every_minutes=minutes, keep=10)

    train(tiny_config(checkpoint=settings), training_set, str(tmp_path / "run"))

    assert len(find_checkpoints(tmp_path / "run/checkpoints")) == expected


def run_on_a_small_disk(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run Python code with `folder` as its argument, a file system of one megabyte."""
    mount = f"mount -t tmpfs -o size=1m tmpfs {folder} && exec {sys.executable} -c '{script}' {folder}"
    done = subprocess.run(["unshare", "-rm", "sh", "-c", mount], capture_output=True, text=True, check=False)
    if "mount" in done.stderr or "unshare" in done.stderr:
        pytest.skip("no user namespace to mount a small disk in")
    return done


FULL_DISK = """
import sys, torch
from pathlib import Path
from agentdistill.errors import CheckpointError
from agentdistill.train.checkpoint import TrainState, find_checkpoints, write_checkpoint
folder = Path(sys.argv[1])
write_checkpoint(folder, {"a": torch.zeros(10_000)}, TrainState(step=1))
try:
    write_checkpoint(folder, {"a": torch.zeros(10_000_000)}, TrainState(step=2))
except CheckpointError as error:
    print(error)
print([path.name for path in find_checkpoints(folder)], [path.name for path in folder.iterdir()])
"""


def test_a_full_disk_is_named_and_the_checkpoint_before_stays(tmp_path):
    done = run_on_a_small_disk(FULL_DISK, tmp_path)

    assert "no space left on the device; free some and run the same command again" in done.stdout, done.stderr
    assert "['checkpoint-000001'] ['checkpoint-000001']" in done.stdout


METRICS_ON_A_FULL_DISK = """
import sys
from pathlib import Path
from agentdistill.errors import CheckpointError
from agentdistill.train.metrics import JsonLines, StepMetrics
folder = Path(sys.argv[1])
sink = JsonLines(folder / "metrics.jsonl", 0)
(folder / "other").write_bytes(bytes(2**20 - 3 * 4096))
try:
    for step in range(1_000):
        sink.write(StepMetrics(step, 1_000, 0.0, 1.0, 1.0, 1.0, 1, 1, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 1.0))
except CheckpointError as error:
    print(error)
sink.close()
"""


def test_metrics_that_find_the_disk_full_say_so_too(tmp_path):
    done = run_on_a_small_disk(METRICS_ON_A_FULL_DISK, tmp_path)

    assert "metrics.jsonl: cannot write the metrics: no space left on the device" in done.stdout, done.stderr


def test_a_run_killed_between_checkpoints_goes_on_with_the_same_loss_curve(training_set, loss_curve, tmp_path):
    killed = run_python(*worker_arguments(training_set, tmp_path, kill={"after_step": 5}))
    assert killed.returncode == -9, killed.stderr[-2000:]

    summary = train(tiny_config(epochs=2, checkpoint=CHECKPOINTS), training_set, str(tmp_path))

    assert summary.resumed_from_step in (2, 4)  # the kill may hit while the checkpoint of step 4 is being written
    assert curve(tmp_path) == pytest.approx(loss_curve, abs=1e-5)


def test_a_kill_while_a_checkpoint_is_written_leaves_the_one_before(training_set, loss_curve, tmp_path, capsys):
    killed = run_python(*worker_arguments(training_set, tmp_path, kill={"before_rename": "checkpoint-000004"}))
    assert killed.returncode == -9, killed.stderr[-2000:]
    torn = tmp_path / "checkpoints/.checkpoint-000004.partial"
    assert (torn / TENSORS).exists()

    summary = train(tiny_config(epochs=2, checkpoint=CHECKPOINTS), training_set, str(tmp_path))

    assert f"{torn}: a checkpoint that was being written when the run stopped; ignored" in capsys.readouterr().err
    assert summary.resumed_from_step == 2
    assert curve(tmp_path) == pytest.approx(loss_curve, abs=1e-5)
    assert not torn.exists()


def test_the_state_is_json_that_people_can_read(tmp_path):
    assert json.loads((write(tmp_path, 12) / STATE).read_text())["step"] == 12
