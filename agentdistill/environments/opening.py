"""One environment an episode, by the name in `agent.environment` (plugin kind `environment`).

A user's environment is a class that is called with `agent.environment_settings`. One that needs the run's sandbox or
its retriever has a class method `from_supplies(supplies, **settings)` besides, which is called instead.
"""

from __future__ import annotations

from typing import Protocol, cast

from agentdistill import plugins
from agentdistill.agent import EpisodeSettings
from agentdistill.errors import ConfigError
from agentdistill.tools import SearchText
from agentdistill.types import CodeSession, Environment


class Supplies(Protocol):
    """What an actor holds for all its episodes."""

    search: SearchText | None  # None: there is no retriever

    def session(self) -> CodeSession:
        """A sandbox session of an episode's own."""
        ...


def open_environment(settings: EpisodeSettings, supplies: Supplies) -> Environment:
    """The environment of one episode, not begun.

    Raises ConfigError where the name stands for nothing, or the environment cannot be made with these settings.
    """
    name, given = settings.environment, dict(settings.agent.environment_settings)
    found = plugins.load("environment", name)
    try:
        if hasattr(found, "from_supplies"):
            return cast(Environment, found.from_supplies(supplies, **given))
        return cast(Environment, found(**given))
    except Exception as error:  # a user's class may raise anything
        raise ConfigError(
            f"environment {name!r}: cannot be made with agent.environment_settings {given}: "
            f"{type(error).__name__}: {error}"
        ) from error
