"""Python sessions for model-written code: fast, stateful, forkable, and locked down by the kernel."""

from agentdistill.config.sandbox import LimitsConfig as Limits
from agentdistill.sandbox.host.sandbox import Sandbox
from agentdistill.sandbox.host.session import AsyncSession
from agentdistill.sandbox.host.sync import Session
from agentdistill.types import Outcome

__all__ = ["AsyncSession", "Limits", "Outcome", "Sandbox", "Session"]
