"""How many workers a Ray cluster can hold: what its nodes have, and what its autoscaler may add to them."""

from __future__ import annotations

import math
from collections.abc import Mapping

from agentdistill.config.train import TrainConfig
from agentdistill.errors import ConfigError


def resource_total(name: str) -> float:
    """What the cluster has of a resource, or could have with every node that its autoscaler may start."""
    import ray

    grown = sum(have[name] * count for have, count in _growth() if have.get(name))
    return max(float(ray.cluster_resources().get(name, 0.0)), float(grown))


def check_capacity(config: TrainConfig, gpus_per_worker: float) -> None:
    """Raise ConfigError for workers that the cluster can never hold: Ray would wait for them for ever."""
    workers = config.min_workers or config.workers
    needs = {"CPU": config.cpus_per_worker, "GPU": gpus_per_worker}
    for name, each in needs.items():
        have = resource_total(name)
        if each * workers > have + 1e-9:
            raise ConfigError(
                f"train.workers = {workers} with {each:g} {name} each needs {each * workers:g} {name}, the cluster has "
                f"{have:g}; lower train.workers or train.{name.lower()}s_per_worker, or add nodes"
            )
    room = _room(needs)
    if workers > room:
        asked = ", ".join(f"{each:g} {name}" for name, each in needs.items() if each)
        raise ConfigError(
            f"train.workers = {workers} with {asked} each: the cluster's nodes have room for {room:g} at a time, as a "
            "worker lies on one node; lower train.cpus_per_worker or train.gpus_per_worker"
        )


def _room(needs: Mapping[str, float]) -> float:
    """How many workers fit, each whole on a node."""
    import ray

    now = sum(_fit(node["Resources"], needs) for node in ray.nodes() if node["Alive"])
    return max(now, sum(_fit(have, needs) * count for have, count in _growth() if _fit(have, needs)))


def _fit(have: Mapping[str, float], needs: Mapping[str, float]) -> int:
    counts = [int(have.get(name, 0.0) / each + 1e-9) for name, each in needs.items() if each]
    return min(counts, default=0)


def _growth() -> list[tuple[dict[str, float], float]]:
    """The resources of a node of each kind that the autoscaler knows, and how many it may start; empty without one."""
    from ray._private.state import state  # where Ray Train looks; there is no public way to ask

    config = state.get_cluster_config()
    groups = config.node_group_configs if config is not None else []
    return [
        (
            {name: float(amount) for name, amount in group.resources.items()},
            math.inf if group.max_count < 0 else float(group.max_count),
        )
        for group in groups
    ]
