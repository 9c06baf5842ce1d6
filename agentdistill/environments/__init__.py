"""Where agents act: one file an environment, and how an episode gets its own."""

from agentdistill.environments.opening import Supplies, open_environment

__all__ = ["Supplies", "open_environment"]
