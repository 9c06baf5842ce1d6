"""How much one piece of code may use: the config's own section, checked, and what follows from it."""

from __future__ import annotations

from agentdistill.config.sandbox import LimitsConfig as Limits
from agentdistill.config.settings import check_bounds


def check_limits(limits: Limits) -> None:
    """Raise ValueError that names the first limit out of its bounds."""
    for name, value, expected in check_bounds(limits):
        raise ValueError(f"Limits.{name} is {value}; expected {expected}")


def wire_bytes(limits: Limits) -> int:
    """The most that a session needs to send for one run, see `channel`. Escaped, a character takes 12 bytes."""
    texts = 2 * limits.output_chars + limits.value_chars + 20_000
    messages = 100 + limits.tool_calls + 20 * int(limits.wall_s)
    return 12 * (texts + (limits.tool_calls + 1) * (limits.value_chars + 1_000)) + 4_096 * messages
