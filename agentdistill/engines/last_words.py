"""What an engine's process died of, told to the process that opened it.

vLLM tells its client only that the engine is dead and prints the cause, which a run's records would then lack. The
plugin (plugin.py) listens in the engine's process and leaves the cause in a file named after the guardian's mark.
"""

from __future__ import annotations

import logging
import os
import tempfile
from pathlib import Path

from agentdistill.engines.guardian import VARIABLE

_LOGGER = "vllm.v1.engine.core"
_FATAL = "EngineCore"  # how vLLM's two reports of its own end begin: of a failed start, and of a fatal error
_LONGEST = 2_000  # characters


def listen() -> None:
    """In an engine's process: write down what ends it. Elsewhere nothing. May be called twice."""
    mark = os.environ.get(VARIABLE)
    logger = logging.getLogger(_LOGGER)
    if mark and not any(isinstance(handler, _Listener) for handler in logger.handlers):
        logger.addHandler(_Listener(mark))


def told(mark: str) -> str:
    """The cause, once; empty where the process said none, as one that was killed."""
    path = _path(mark)
    try:
        words = path.read_text(encoding="utf-8")
        path.unlink()
    except OSError:
        return ""
    return words


class _Listener(logging.Handler):
    def __init__(self, mark: str) -> None:
        super().__init__(logging.ERROR)
        self._mark = mark

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if error is None or not record.getMessage().startswith(_FATAL):
            return
        try:
            _path(self._mark).write_text(f"{type(error).__name__}: {error}"[:_LONGEST], encoding="utf-8")
        except OSError:
            self.handleError(record)  # the engine ends anyway, and its own report is in the log


def _path(mark: str) -> Path:
    return Path(tempfile.gettempdir(), f"agentdistill-engine-{mark}.txt")
