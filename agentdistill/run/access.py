"""What a run needs to be let in, asked for before it starts: API keys of endpoints, and a token for its own HTTP.

The nodes that open an engine look again: their environment need not be this one.
"""

from __future__ import annotations

from agentdistill.config import EngineConfig, RunConfig
from agentdistill.engines.openai import read_access
from agentdistill.runtime.services import serve_token


def check_teacher(config: RunConfig) -> None:
    """Raises ConfigError where the teacher's endpoint or the judge's lacks its key, or HTTP its token."""
    _check_engine("teacher.engine", config.teacher.engine)
    _check_shared(config)


def check_students(config: RunConfig) -> None:
    """The same of the endpoints that evaluation asks."""
    if any(cell.engine is None for cell in config.evaluate.cells):
        _check_engine("evaluate.engine", config.evaluate.engine)
    for index, cell in enumerate(config.evaluate.cells):
        if cell.engine is not None:
            _check_engine(f"evaluate.cells[{index}].engine", cell.engine)
    _check_shared(config)


def check_judge(config: RunConfig) -> None:
    """The same of the judge's endpoint."""
    if config.grading.judge is not None:
        _check_engine("grading.judge.engine", config.grading.judge.engine)


def _check_shared(config: RunConfig) -> None:
    check_judge(config)
    if config.retriever.enabled:
        serve_token(config.cluster)


def _check_engine(where: str, engine: EngineConfig) -> None:
    if engine.engine == "openai":
        read_access(engine, where)
