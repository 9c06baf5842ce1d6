"""The Ray Train job: the same curve as one process, kills survived, requests that cannot be met refused."""

import contextlib
import subprocess
import sys
import tempfile
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psutil
import pyarrow as pa
import pytest
import ray
from ray._raylet import GCS_AUTOSCALER_CLUSTER_CONFIG_KEY, GCS_AUTOSCALER_STATE_NAMESPACE
from ray.core.generated import autoscaler_pb2
from ray.experimental import internal_kv
from train_parts import tiny_config
from train_runs import CHECKPOINTS, HELPERS, curve, environment, slow_settings, worker_arguments

from agentdistill import storage
from agentdistill.config.train import TrainConfig
from agentdistill.errors import ConfigError, TrainingError
from agentdistill.schema import TRAINING_EXAMPLES
from agentdistill.train.job import train
from agentdistill.train.launch.capacity import check_capacity

pytestmark = [pytest.mark.slow, pytest.mark.ray, pytest.mark.timeout(1_200)]


@pytest.fixture(scope="module", autouse=True)
def cluster():
    temporary = tempfile.mkdtemp(prefix="ad", dir="/tmp")
    variables = {"PYTHONPATH": f"{HELPERS.parents[1]}:{HELPERS}", "OMP_NUM_THREADS": "1"}
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        _temp_dir=temporary,
        runtime_env={"env_vars": variables},
    )
    yield
    ray.shutdown()


def ray_config(**changes) -> TrainConfig:
    settings = {"epochs": 2, "launcher": "ray", "workers": 2, "checkpoint": CHECKPOINTS}
    return tiny_config(**{**settings, **changes})


def test_two_workers_with_zero_2_have_the_loss_curve_of_one_process(training_set, loss_curve, tmp_path):
    seen = []

    summary = train(
        ray_config(zero_stage=2), training_set, str(tmp_path), on_progress=lambda metrics: seen.append(metrics.step)
    )

    assert curve(tmp_path) == pytest.approx(loss_curve, abs=1e-5)
    assert seen == list(range(1, 7))
    assert Path(summary.student, "model.safetensors").exists()


def is_worker(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):  # it has ended meanwhile
        return any("RayTrainWorker" in part for part in process.cmdline())
    return False


def wait_for_step(folder: Path, step: int) -> None:
    """Return once the run in `folder` has logged `step`."""
    until = time.monotonic() + 400
    while len(curve(folder)) < step:
        assert time.monotonic() < until, f"{folder} never came to step {step}"
        time.sleep(0.01)


def kill_worker_after(folder: Path, step: int) -> Future[int]:
    """Kill -9 this cluster's training worker, once it has logged `step`. Its result is the worker's pid."""

    def run() -> int:
        wait_for_step(folder, step)
        worker = next(p for p in psutil.Process().children(recursive=True) if is_worker(p))
        worker.kill()
        return worker.pid

    executor = ThreadPoolExecutor(1)
    killed = executor.submit(run)
    executor.shutdown(wait=False)
    return killed


def test_a_worker_killed_in_mid_run_is_replaced_and_the_curve_is_the_same(training_set, slow_loss_curve, tmp_path):
    killed = kill_worker_after(tmp_path, 3)

    train(ray_config(workers=1, max_failures=2, stream=False, **slow_settings()), training_set, str(tmp_path))

    assert killed.result()
    assert curve(tmp_path) == pytest.approx(slow_loss_curve, abs=1e-5)


def test_a_whole_job_that_is_killed_goes_on_with_the_same_command(training_set, slow_loss_curve, tmp_path):
    """The driver, its Ray and its workers at once, as when a machine goes down."""
    command = [
        sys.executable,
        *worker_arguments(training_set, tmp_path, launcher="ray", stream=False, **slow_settings()),
    ]
    clean = {name: value for name, value in environment().items() if not name.startswith("RAY_")}
    with open(tmp_path / "log", "w") as log:
        job = subprocess.Popen(command, env=clean, stdout=log, stderr=log, start_new_session=True)
        wait_for_step(tmp_path, 3)
        started = psutil.Process(job.pid).children(recursive=True)
        # Workers have groups of their own, and would go on for a moment, perhaps to the end.
        for process in [psutil.Process(job.pid), *started]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        job.wait()
        gone, alive = psutil.wait_procs(started, timeout=120)
    assert gone
    assert not alive
    assert not (tmp_path / "student").exists()

    done = subprocess.run(command, env=clean, capture_output=True, text=True, timeout=1_000)

    assert done.returncode == 0, done.stderr[-3000:]
    assert "deepspeed in the process that started it: False" in done.stdout
    assert curve(tmp_path) == pytest.approx(slow_loss_curve, abs=1e-5)


def test_more_workers_than_the_cluster_has_are_refused(training_set, tmp_path):
    with pytest.raises(ConfigError, match=r"train.workers = 4 with 1 CPU each needs 4 CPU, the cluster has 2"):
        train(ray_config(workers=4), training_set, str(tmp_path))


def test_nodes_that_an_autoscaler_may_start_count():
    """A cluster whose worker nodes are scaled to none is not one that has none."""
    config = autoscaler_pb2.ClusterConfig()
    config.node_group_configs.add(name="workers", max_count=3, resources={"CPU": 4, "GPU": 1})
    place = {"key": GCS_AUTOSCALER_CLUSTER_CONFIG_KEY, "namespace": GCS_AUTOSCALER_STATE_NAMESPACE}
    internal_kv._internal_kv_put(value=config.SerializeToString(), **place)
    try:
        check_capacity(ray_config(workers=3, cpus_per_worker=4), gpus_per_worker=1)
        with pytest.raises(ConfigError, match="needs 4 GPU, the cluster has 3"):
            check_capacity(ray_config(workers=4), gpus_per_worker=1)
        with pytest.raises(ConfigError, match="room for 3 at a time"):
            check_capacity(ray_config(workers=4, cpus_per_worker=3), gpus_per_worker=0)
    finally:
        internal_kv._internal_kv_del(**place)


def test_a_loss_that_is_no_number_reaches_the_caller_as_it_is(training_set, tmp_path):
    config = ray_config(workers=1, stream=False, learning_rate=1e30, warmup_ratio=0.0, max_failures=0)

    with pytest.raises(TrainingError, match=r"at learning rate 1e\+30, in the batch of examples example-"):
        train(replace(config, schedule="constant"), training_set, str(tmp_path))


def test_the_numbers_that_an_objective_asks_for_stream_to_the_workers(training_set, tmp_path):
    table = storage.read_table(training_set, TRAINING_EXAMPLES)
    path = str(tmp_path / "weighed.parquet")
    storage.write_table(path, table.append_column("advantage", pa.array([number % 3 for number in range(len(table))])))
    config = ray_config(workers=1, epochs=1, objective="train_objectives:Advantage")

    train(config, path, str(tmp_path / "ray"))
    train(replace(config, launcher="local"), path, str(tmp_path / "local"))

    assert curve(tmp_path / "ray") == pytest.approx(curve(tmp_path / "local"), abs=1e-6)
