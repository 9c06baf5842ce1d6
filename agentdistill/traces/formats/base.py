"""What a form of published trajectories is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from agentdistill.traces.conversations import Conversation
from agentdistill.types import Trajectory


class Format(Protocol):
    """From a published row to a conversation. A form that can be exported has `write` too, see `WritableFormat`."""

    column: str  # where the conversation stands, for messages

    def fits(self, row: Mapping[str, Any]) -> bool:
        """Whether a source whose first row this is has this form."""
        ...

    def read(self, row: Mapping[str, Any]) -> Conversation:
        """The row's conversation. Raises UnreadableRowError with the reason under which the row is counted."""
        ...


class WritableFormat(Format, Protocol):
    """A form that our own trajectories can be written in."""

    def write(self, trajectory: Trajectory) -> dict[str, Any]:
        """A row, of values that JSON has, which `read` reads again."""
        ...
