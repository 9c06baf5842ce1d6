"""How an episode ends that something failed: the one place that tells which stop reason an error is."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from agentdistill.errors import BusyError, EngineError, PromptTooLongError, RetrieverError, SandboxError
from agentdistill.types import Outcome, StopReason

Result = TypeVar("Result")

_REASONS: tuple[tuple[type[Exception], StopReason], ...] = (
    (TimeoutError, StopReason.TIME_BUDGET),
    (PromptTooLongError, StopReason.CONTEXT_FULL),
    (EngineError, StopReason.ENGINE_ERROR),
    (RetrieverError, StopReason.RETRIEVER_ERROR),
    (SandboxError, StopReason.SANDBOX_ERROR),
    (BusyError, StopReason.SANDBOX_ERROR),
)

#: The types under which a sandbox reports that the search tool itself was down, or busy to the end.
_RETRIEVER_ERRORS = frozenset({"RetrieverError", "BusyError"})


@dataclass(frozen=True, slots=True)
class Failure:
    """An episode that could not come to its end."""

    reason: StopReason
    error: str  # empty where the system did not fail


async def guarded(episode: Coroutine[Any, Any, Result], time_budget_s: float) -> Result | Failure:
    """What the coroutine returns, or what it failed of. Raises on cancellation alone."""
    try:
        return await asyncio.wait_for(episode, time_budget_s)
    except Exception as error:
        # Whatever breaks must not take the other episodes of this actor with it; the record names it.
        reason = next((reason for kind, reason in _REASONS if isinstance(error, kind)), StopReason.INTERNAL_ERROR)
        return Failure(reason, f"{type(error).__name__}: {error}" if reason.is_system else "")


def check_retriever(outcome: Outcome) -> None:
    """Raise RetrieverError where the code asked a retriever that could not answer, as opposed to finding nothing."""
    error = outcome.error
    if error is not None and error.type in _RETRIEVER_ERRORS:
        raise RetrieverError(error.message if error.type == "RetrieverError" else f"{error.type}: {error.message}")
