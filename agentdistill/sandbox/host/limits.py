"""How much one piece of code may use."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agentdistill.config.sandbox import LimitsConfig


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one run. Sizes in MiB are 2**20 bytes; characters are code points of text."""

    wall_s: float = 10.0  # on the clock; waiting for tools, or for a processor that others use, not counted
    cpu_s: float = 10.0  # processor time of the session's processes together
    memory_mb: int = 1024  # beyond what the warm process holds, all processes of the session together
    output_chars: int = 20_000  # printed text that is kept, head and tail; 100 times as much ends the code
    value_chars: int = 10_000  # of the last expression, of a final answer and of a tool call's arguments
    code_chars: int = 1_000_000  # of the program
    file_mb: int = 64  # in the session's folder, forks included
    files: int = 256  # in the session's folder, forks included
    processes: int = 16  # processes and threads
    tool_s: float = 60.0  # deadline of one tool call, above that of the service behind it
    tool_calls: int = 64  # tool calls of one run

    def __post_init__(self) -> None:
        for item in dataclasses.fields(self):
            value, least = getattr(self, item.name), 0 if item.name in ("file_mb", "files", "tool_calls") else None
            if value < 0 or (least is None and value == 0):
                raise ValueError(f"Limits.{item.name} is {value}; expected a number above 0")

    @classmethod
    def from_config(cls, config: LimitsConfig) -> Limits:
        """The limits that a config section states; what it does not name keeps its default."""
        names = {item.name for item in dataclasses.fields(cls)} & {item.name for item in dataclasses.fields(config)}
        return cls(**{name: getattr(config, name) for name in names})

    @property
    def wire_bytes(self) -> int:
        """The most that a session needs to send for one run, see `channel`. Escaped, a character takes 12 bytes."""
        texts = 2 * self.output_chars + self.value_chars + 20_000
        messages = 100 + self.tool_calls + 20 * int(self.wall_s)
        return 12 * (texts + (self.tool_calls + 1) * (self.value_chars + 1_000)) + 4_096 * messages

    def as_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)
