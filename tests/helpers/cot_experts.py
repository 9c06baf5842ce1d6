"""A teacher that answers by chain of thought, importable by workers."""

import re
from collections.abc import Sequence

from agentdistill.types import Message


def reasons(messages: Sequence[Message], seed: int) -> str:
    """Adds the two numbers of the question; is wrong where the sum is 7, and says nothing where it is 8."""
    first, second = (int(number) for number in re.findall(r"\d+", messages[-1].content))
    total = first + second
    if total == 8:
        return "I cannot tell."
    return f"I add {first} and {second}.\n\nAnswer: \\boxed{{{0 if total == 7 else total}}}"
