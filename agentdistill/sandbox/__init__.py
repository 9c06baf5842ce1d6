"""Python sessions for model-written code: fast, stateful, forkable, and locked down by the kernel."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agentdistill.config.sandbox import LimitsConfig as Limits
    from agentdistill.sandbox.host.sandbox import Sandbox
    from agentdistill.sandbox.host.session import AsyncSession
    from agentdistill.sandbox.host.sync import Session
    from agentdistill.types import Outcome

__all__ = ["AsyncSession", "Limits", "Outcome", "Sandbox", "Session"]

_HOMES = {
    "AsyncSession": ("agentdistill.sandbox.host.session", "AsyncSession"),
    "Limits": ("agentdistill.config.sandbox", "LimitsConfig"),
    "Outcome": ("agentdistill.types", "Outcome"),
    "Sandbox": ("agentdistill.sandbox.host.sandbox", "Sandbox"),
    "Session": ("agentdistill.sandbox.host.sync", "Session"),
}


def __getattr__(name: str) -> Any:
    """The host's side, imported when it is asked for: the locked-down side must not load what that needs."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _HOMES[name]
    return getattr(import_module(module), attribute)
