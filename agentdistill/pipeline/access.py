"""What a run needs to be let in, asked for before it starts: API keys of endpoints, and a token for its own HTTP."""

from __future__ import annotations

from collections.abc import Iterator

from agentdistill.config import EngineConfig, RunConfig
from agentdistill.engines.openai import read_access
from agentdistill.runtime.services import serve_token

_ACTING = frozenset({"rollout", "evaluate"})


def check_access(config: RunConfig, stages: tuple[str, ...]) -> None:
    """Raises ConfigError where an endpoint of these stages lacks its key, or HTTP its token.

    The nodes that open an engine look again: their environment need not be this one.
    """
    for where, engine in _engines(config, stages):
        if engine.engine == "openai":
            read_access(engine, where)
    if config.retriever.enabled and _ACTING.intersection(stages):
        serve_token(config.cluster)


def _engines(config: RunConfig, stages: tuple[str, ...]) -> Iterator[tuple[str, EngineConfig]]:
    if "rollout" in stages and config.rollout.reuse is None:
        yield "teacher.engine", config.teacher.engine
    if "evaluate" in stages:
        if any(cell.engine is None for cell in config.evaluate.cells):
            yield "evaluate.engine", config.evaluate.engine
        for index, cell in enumerate(config.evaluate.cells):
            if cell.engine is not None:
                yield f"evaluate.cells[{index}].engine", cell.engine
    if config.grading.judge is not None and _ACTING.intersection(stages):
        yield "grading.judge.engine", config.grading.judge.engine
