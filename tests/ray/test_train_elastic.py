"""Elastic training: the job starts with the workers that there are, and goes on with those that are left."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray
from ray.cluster_utils import Cluster
from train_parts import tiny_config
from train_runs import CHECKPOINTS, HELPERS, curve, slow_settings

from agentdistill.config.train import TrainConfig
from agentdistill.train.job import train
from agentdistill.train.metrics import read_metrics

pytestmark = [pytest.mark.slow, pytest.mark.ray, pytest.mark.timeout(1_200)]

STORE = 100 * 2**20


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Two nodes, each with room for one worker, one of them with the driver.

    Both are there from the start: Ray's autoscaling coordinator learns of later ones late.
    """
    folder = tempfile.mkdtemp(prefix="ad", dir="/tmp")
    noticed_soon = {
        "health_check_initial_delay_ms": 0,
        "health_check_period_ms": 500,
        "health_check_failure_threshold": 3,
    }
    head = {"num_cpus": 1, "object_store_memory": STORE, "temp_dir": folder, "_system_config": noticed_soon}
    nodes = Cluster(initialize_head=True, head_node_args=head)
    nodes.add_node(num_cpus=1, object_store_memory=STORE)
    variables = {"PYTHONPATH": f"{HELPERS.parents[1]}:{HELPERS}", "OMP_NUM_THREADS": "1"}
    ray.init(address=nodes.address, log_to_driver=False, runtime_env={"env_vars": variables})
    yield nodes
    ray.shutdown()
    nodes.shutdown()


def elastic() -> TrainConfig:
    settings = {"workers": 2, "min_workers": 1, "max_failures": 3, "stream": False, "checkpoint": CHECKPOINTS}
    return tiny_config(launcher="ray", **slow_settings(), **settings)


def test_a_node_that_goes_away_in_mid_run_leaves_the_job_to_the_other_worker(
    cluster, training_set, slow_loss_curve, tmp_path: Path, monkeypatch
):
    # Ray Train tries for so long to start as many workers as before, then as many as there is room for.
    monkeypatch.setenv("RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S", "10")
    (other,) = cluster.worker_nodes
    left = []

    def take_away(metrics) -> None:
        if metrics.step >= 3 and not left:
            left.append(metrics.step)
            cluster.remove_node(other, allow_graceful=False)

    summary = train(elastic(), training_set, str(tmp_path), on_progress=take_away)

    first, *_, last = read_metrics(tmp_path / "metrics.jsonl")
    assert summary.resumed_from_step >= 2
    assert curve(tmp_path) == pytest.approx(slow_loss_curve, abs=1e-5)
    assert first.idle_share > 0  # two ranks never have exactly as many tokens here
    assert last.idle_share == 0


def test_fewer_workers_than_wanted_are_enough_to_start(cluster, training_set, slow_loss_curve, tmp_path):
    """On what the test above leaves of the cluster."""
    for node in list(cluster.worker_nodes):
        cluster.remove_node(node)

    train(elastic(), training_set, str(tmp_path))

    assert curve(tmp_path) == pytest.approx(slow_loss_curve, abs=1e-5)
