"""What phases have in common in what they ask the cluster for, in words and in figures."""

from __future__ import annotations

from agentdistill.config import AgentConfig, EngineConfig, RunConfig
from agentdistill.engines import actor_gpus


def judge_words(config: RunConfig) -> str:
    judge = config.grading.judge
    return "" if judge is None else f"; then facts judged by {engine_words(judge.engine)}"


def judge_gpus(config: RunConfig) -> float:
    """The judge works when the episodes are done, on the GPUs that their engines had."""
    judge = config.grading.judge
    if judge is None:
        return 0.0
    return judge.actors * actor_gpus(judge.engine, judge.gpus_per_actor, cluster_has_gpus=True)


def services_ask(config: RunConfig) -> tuple[float, float, str]:
    """CPUs and GPUs of the services at their largest, and their names."""
    retriever, sandbox = config.retriever, config.sandbox
    cpus = gpus = 0.0
    names = []
    if retriever.enabled:
        cpus += retriever.max_replicas * retriever.cpus_per_replica
        gpus += retriever.max_replicas * retriever.gpus_per_replica
        names.append(f"{range_words(retriever.replicas, retriever.max_replicas)} retriever")
    if sandbox.service:
        cpus += sandbox.max_replicas * sandbox.cpus_per_replica
        names.append(f"{range_words(sandbox.replicas, sandbox.max_replicas)} sandbox")
    return cpus, gpus, ", ".join(names) or "no services"


def gpus_of_engine(config: RunConfig, engine: EngineConfig) -> float:
    """GPUs of one engine: as the config says, or as many as it would take."""
    return actor_gpus(engine, config.rollout.gpus_per_actor, cluster_has_gpus=True)


def engine_words(engine: EngineConfig) -> str:
    if engine.engine == "scripted":
        return f"scripted expert {engine.expert}"
    parallel = f" on {engine.tensor_parallel} GPUs" if engine.tensor_parallel > 1 else ""
    return f"{engine.model} by {engine.engine}{parallel}"


def sag_words(agent: AgentConfig) -> str:
    return f", SAG N={agent.sag.n}" if agent.sag.n > 1 else ""


def range_words(low: int, high: int) -> str:
    return str(low) if low == high else f"{low} to {high}"
