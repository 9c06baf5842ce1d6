"""What an actor with an engine asks Ray for."""

from __future__ import annotations

from agentdistill.config import EngineConfig


def engine_gpus(engine: EngineConfig, given: float | None, cluster_has_gpus: bool) -> float:
    """GPUs of one actor: what the config gives, else those of its model; an endpoint or a script takes none."""
    if given is not None:
        return given
    return float(engine.tensor_parallel) if engine.engine == "vllm" and cluster_has_gpus else 0.0
