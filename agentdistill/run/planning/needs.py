"""What phases have in common in what they need: memory, disk and tokens, as far as the config alone tells them.

Nothing here is measured. Token counts are upper bounds: every step taken and every step written to its last token.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from agentdistill.config import AgentConfig, EngineConfig, RunConfig, TaskConfig, VoteConfig
from agentdistill.engines import engine_gpus
from agentdistill.models import CACHED
from agentdistill.run.phases.base import Need
from agentdistill.tasks.catalog import BENCHMARKS
from agentdistill.train.estimate import KNOWN, Shape
from agentdistill.types import Kind

GB = 1e9
GIB = 2**30

#: A passage of Wikipedia as it is stored beside the index: some 100 words with id and title.
PASSAGE_BYTES = 660
#: A written token in a trajectory: its text in the step and in the messages, and its id; before compression.
TRAJECTORY_BYTES_PER_TOKEN = 12
#: A trained parameter in a checkpoint: weight and two moments in float32.
CHECKPOINT_BYTES = 12


def count_questions(tasks: Sequence[TaskConfig], kind: Kind | None = None) -> int | None:
    """How many questions (of one kind) the tasks hold at most; None where only reading them can tell."""
    total = 0
    for task in tasks:
        known = next((item for item in BENCHMARKS.values() if task.task in (item.name, *item.aliases)), None)
        if known is None and task.limit is None:
            return None
        if kind is not None and (known.kind if known else task.kind) != kind:
            continue
        sizes = [size for size in (known.num_questions if known else None, task.limit) if size is not None]
        total += min(sizes)
    return total


def tokens_of_episode(mode: str, agent: AgentConfig, vote: VoteConfig | None = None) -> int:
    """Tokens that one question can cost at most, all candidates and the first-thought prefix included."""
    if mode == "vote":
        vote = vote or VoteConfig()
        return vote.n * tokens_of_episode(vote.mode, agent)
    if mode != "agent":
        return agent.max_tokens
    prefix = min(agent.max_tokens, agent.first_thought_tokens or agent.max_tokens) * agent.first_thought_prefix
    most = agent.max_steps * agent.max_tokens * agent.sag.n + prefix
    return most if agent.token_budget is None else min(most, agent.token_budget + agent.max_tokens * agent.sag.n)


def known_shape(model: str) -> Shape | None:
    """The model's dimensions where its name tells them; nothing is read or fetched."""
    return KNOWN.get(CACHED.get(model, model).lower())


def index_gb(config: RunConfig) -> float | None:
    """The index that a retriever's replica searches; None where the number of passages is not given."""
    from agentdistill.retrieval.encoder import PRESETS
    from agentdistill.retrieval.sizing import index_bytes

    retriever = config.retriever
    preset = PRESETS.get(retriever.encoder.model)
    kind = retriever.index.dense if retriever.index.kind == "hybrid" else retriever.index.kind
    if not retriever.enabled or retriever.expected_passages is None or preset is None or kind == "bm25":
        return None
    return index_bytes(kind, retriever.expected_passages, preset.dimension, retriever.index) / GB


def episodes_need(phase: str, config: RunConfig, engines: Sequence[EngineConfig], tokens: int | None) -> Need:
    """Of a phase that runs episodes: the largest engine's weights, the retriever's index, what is written."""
    largest = max(engines, key=_gpu_gb)
    gpu = _gpu_gb(largest)
    models = {engine.model: _weights_gb(engine) for engine in engines if engine_gpus(engine)}
    written = 0.0 if tokens is None else tokens * TRAJECTORY_BYTES_PER_TOKEN / GB
    disk = sum(models.values()) + written
    why = [f"weights of {largest.model}; 1,000 tokens of cache take {_cache_mb(largest):.0f} MB more"] if gpu else []
    index = index_gb(config)
    if index is not None:
        why.append("memory: the index, mapped by the retriever")
    return Need(phase, gpu or None, index, disk or None, tokens, "; ".join(why))


def with_judge(need: Need, config: RunConfig, tasks: Sequence[TaskConfig], times: int = 1) -> Need:
    judge, factual = config.grading.judge, count_questions(tasks, Kind.FACTUAL)
    if judge is None or not factual:
        return need
    tokens = factual * times * judge.max_tokens
    gpu = max(need.gpu_gb or 0.0, _gpu_gb(judge.engine)) or None
    why = "; ".join(filter(None, [need.why, f"the judge writes at most {shown(tokens)} tokens more"]))
    return replace(need, gpu_gb=gpu, why=why)


def _weights_gb(engine: EngineConfig) -> float:
    shape = known_shape(engine.model)
    return 0.0 if shape is None else shape.parameters * (4 if engine.dtype == "float32" else 2) / GB


def _gpu_gb(engine: EngineConfig) -> float:
    return _weights_gb(engine) / engine.tensor_parallel if engine_gpus(engine) else 0.0


def _cache_mb(engine: EngineConfig) -> float:
    """Keys and values of 1,000 tokens on each GPU, in MB."""
    shape = known_shape(engine.model)
    assert shape is not None
    per_token = shape.layers * 2 * shape.kv_heads * shape.head_dim * (4 if engine.dtype == "float32" else 2)
    return 1_000 * per_token / engine.tensor_parallel / 1e6


def shown(tokens: int) -> str:
    return f"{tokens / 1e6:.1f} M" if tokens >= 1e6 else f"{tokens:,}"
