"""Python sessions for model-written code: fast, stateful, forkable, and locked down by the kernel."""

from agentdistill.sandbox.limits import Limits
from agentdistill.sandbox.sandbox import Sandbox
from agentdistill.sandbox.session import AsyncSession
from agentdistill.sandbox.sync import Session
from agentdistill.types import Outcome

__all__ = ["AsyncSession", "Limits", "Outcome", "Sandbox", "Session"]
