"""A Python session in the sandbox: actions are pieces of code."""

from __future__ import annotations

from typing import Self

from agentdistill.agent import SessionEnvironment
from agentdistill.environments.opening import Supplies


class PythonEnvironment(SessionEnvironment):
    """The sandbox session of one episode. It opens at its first use."""

    @classmethod
    def from_supplies(cls, supplies: Supplies) -> Self:
        return cls(supplies.session())
