"""Ray as a command finds it: used or left alone, never stopped."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray

from agentdistill.config import load
from agentdistill.errors import ConfigError
from agentdistill.runtime.services import services

pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]

COUNT = """
import os, ray
from agentdistill.config import ClusterConfig
from agentdistill.runtime.connection import ray_cluster
with ray_cluster(ClusterConfig(num_cpus=3)):
    print("CPUs", int(ray.cluster_resources()["CPU"]))
"""


@pytest.fixture(scope="module", autouse=True)
def others() -> Iterator[str]:
    """Somebody else's cluster."""
    context = ray.init(num_cpus=5, include_dashboard=False, object_store_memory=100 * 2**20, logging_level="ERROR")
    yield context.address_info["gcs_address"]
    assert ray.cluster_resources()["CPU"] == 5
    ray.shutdown()


def cpus(environment: dict[str, str]) -> str:
    import os

    clean = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    clean["RAY_AUTH_MODE"] = os.environ.get("RAY_AUTH_MODE", "disabled")  # the other cluster's
    ended = subprocess.run(
        [sys.executable, "-c", COUNT], capture_output=True, text=True, env={**clean, **environment}, timeout=500
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip().splitlines()[-1]


def test_beside_a_running_cluster_a_command_starts_its_own(others: str) -> None:
    assert cpus({}) == "CPUs 3"
    assert ray.cluster_resources()["CPU"] == 5


def test_the_cluster_in_ray_address_is_used_and_left_running(others: str) -> None:
    assert cpus({"RAY_ADDRESS": others}) == "CPUs 5"
    assert ray.cluster_resources()["CPU"] == 5


def test_an_address_where_no_cluster_answers_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "training_set").mkdir()
    (tmp_path / "training_set" / "examples.parquet").touch()  # there is something to learn from
    ended = subprocess.run(
        [sys.executable, "-m", "agentdistill", "train", "-c", "configs/demo.yaml", f"folder={tmp_path}",
         "cluster.address=127.0.0.1:1"],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=500,
    )  # fmt: skip
    assert ended.returncode == 2, ended.stderr
    assert "cluster.address is 127.0.0.1:1, expected the address of a running Ray cluster" in ended.stderr


def test_a_port_in_use_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        port = taken.getsockname()[1]
        config = load(None, [f"cluster.serve_port={port}"])
        with (
            pytest.raises(ConfigError, match=f"serve_port is {port}, expected a free port"),
            services(config, "nowhere"),
        ):
            pass
