"""Weights & Biases and MLflow as they are, without a server: one run for each run folder, resumed ones included."""

import struct
import sys
from pathlib import Path

import pytest
from train_parts import tiny_config
from train_runs import CHECKPOINTS, curve, twelve_examples

from agentdistill.config.train import TrainConfig
from agentdistill.errors import MissingPartError
from agentdistill.train.job import train
from agentdistill.train.metrics import tracker_id

pytestmark = pytest.mark.slow


class Stop(Exception):
    pass


def stop(metrics) -> None:
    if metrics.step == 5:
        raise Stop


def run_in_two_parts(config: TrainConfig, folder: Path) -> None:
    """Six steps, stopped after the fifth and resumed from the fourth."""
    path = twelve_examples(folder)
    with pytest.raises(Stop):
        train(config, path, str(folder / "run"), on_progress=stop)
    train(config, path, str(folder / "run"))


def wandb_losses(path: Path) -> dict[int, float]:
    """Step -> loss in the file of an offline run: a LevelDB log of protocol buffers behind a header of 7 bytes."""
    from wandb.proto.wandb_internal_pb2 import Record

    data, place, whole, found = path.read_bytes(), 7, b"", {}
    while place + 7 <= len(data):
        if 32_768 - place % 32_768 < 7:  # a record never starts in the last bytes of a block
            place += 32_768 - place % 32_768
            continue
        length, kind = struct.unpack_from("<HB", data, place + 4)
        whole += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # complete, or the last part
            record = Record.FromString(whole)
            items = {item.key or item.nested_key[0]: item.value_json for item in record.history.item}
            if "loss" in items:
                found[int(items["_step"])] = float(items["loss"])
            whole = b""
    return found


def test_weights_and_biases_gets_every_step_in_one_run(tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")

    run_in_two_parts(tiny_config(epochs=2, tracker="wandb", checkpoint=CHECKPOINTS), tmp_path)

    files = sorted((tmp_path / "run/wandb").glob(f"offline-run-*/run-{tracker_id(tmp_path / 'run', 'run')}.wandb"))
    logged = [wandb_losses(path) for path in files]
    assert [sorted(part) for part in logged] == [[1, 2, 3, 4, 5], [5, 6]]
    assert {**logged[0], **logged[1]} == pytest.approx(dict(enumerate(curve(tmp_path / "run"), start=1)))


def test_mlflow_gets_every_step_in_one_run(tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"file://{tmp_path}/mlflow")
    mlflow.set_tracking_uri(f"file://{tmp_path}/mlflow")

    run_in_two_parts(tiny_config(epochs=2, tracker="mlflow", checkpoint=CHECKPOINTS), tmp_path)

    client = mlflow.MlflowClient()
    experiment = client.get_experiment_by_name("agentdistill")
    (run,) = client.search_runs([experiment.experiment_id])
    logged = {item.step: item.value for item in client.get_metric_history(run.info.run_id, "loss")}
    assert [logged[step] for step in range(1, 7)] == pytest.approx(curve(tmp_path / "run"))


@pytest.mark.parametrize("tracker", ["wandb", "mlflow"])
def test_a_tracker_that_is_not_installed_is_named(tmp_path, monkeypatch, tracker):
    monkeypatch.setitem(sys.modules, tracker, None)

    with pytest.raises(MissingPartError, match=rf"train.tracker = {tracker} needs the package {tracker}"):
        train(tiny_config(tracker=tracker), twelve_examples(tmp_path), str(tmp_path / "run"))


def test_two_folders_of_the_same_name_are_two_runs(tmp_path):
    assert tracker_id(tmp_path / "a/run", "run") != tracker_id(tmp_path / "b/run", "run")
    assert tracker_id(tmp_path / "a/run", "run").startswith("run-")
