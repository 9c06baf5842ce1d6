"""Ray for a command: the cluster it was submitted to, or one of its own beside whatever runs on this machine."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
from collections.abc import Iterator

from agentdistill.config import ClusterConfig
from agentdistill.errors import ConfigError, RunFolderError

_REACH_S = 10.0

_QUIET = {
    "RAY_DEDUP_LOGS": "1",
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "DS_ACCELERATOR": "",
}


@contextlib.contextmanager
def ray_cluster(config: ClusterConfig) -> Iterator[None]:
    """Connect to Ray, and leave as it was found: a cluster that others started is never stopped.

    `address` null means the cluster in RAY_ADDRESS (`ray job submit` sets it) or else a new local one; "local" always
    a new local one; anything else that cluster. Raises ConfigError where there is none at the address.
    """
    for name, value in _QUIET.items():
        if value:
            os.environ.setdefault(name, value)
    import ray

    if ray.is_initialized():
        yield
        return
    address = config.address or os.environ.get("RAY_ADDRESS") or "local"
    try:
        _connect(address, config)
        _quiet_data()
        yield
    finally:
        # For a local cluster of our own this ends it; for somebody else's it only disconnects.
        ray.shutdown()


def _connect(address: str, config: ClusterConfig) -> None:
    import ray

    common = {"logging_level": logging.ERROR, "log_to_driver": True, "ignore_reinit_error": True}
    if address != "local":
        _check_reachable(address)
        try:
            ray.init(address=address, **common)
        except (ConnectionError, ValueError) as error:
            raise ConfigError(f"cluster.address is {address}, expected the address of a running Ray cluster") from error
        return
    # In a RAY_ADDRESS of our own making nobody is interested, and the variable would lead children astray.
    memory = config.object_store_mb
    try:
        ray.init(
            address="local",
            num_cpus=config.num_cpus,
            object_store_memory=None if memory is None else memory * 2**20,
            include_dashboard=False,
            **common,
        )
    except Exception as error:  # Ray raises a bare Exception where its node does not come up in time
        raise RunFolderError(f"a local Ray cluster cannot be started: {error}") from error


def _check_reachable(address: str) -> None:
    """Ask whether anybody listens at HOST:PORT before Ray does, which asks for minutes and then ends the process."""
    host, separator, port = address.removeprefix("ray://").rpartition(":")
    if not separator or not port.isdigit():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_REACH_S).close()
    except (OSError, OverflowError) as error:
        raise ConfigError(
            f"cluster.address is {address}, expected the address of a running Ray cluster: {error}"
        ) from error


def _quiet_data() -> None:
    import ray.data

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
