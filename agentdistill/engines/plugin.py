"""What vLLM loads in each of its processes, by the entry point in pyproject.toml."""

from __future__ import annotations

from agentdistill.engines import int8_kernel, last_words


def register() -> None:
    """May be called twice in a process."""
    last_words.listen()
    int8_kernel.register()
