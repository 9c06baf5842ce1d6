"""A task: from its settings to questions."""

import random

from agentdistill.config import TaskConfig
from agentdistill.types import Kind, Question


def riddles(config: TaskConfig) -> list[Question]:
    """Numbers between 0 and 99 to be found; train and test do not share one."""
    numbers = list(range(100))
    random.Random(0).shuffle(numbers)
    chosen = numbers[:80] if config.split == "train" else numbers[80:]
    kind = config.settings.get("kind", Kind.MATH)
    return [
        Question(f"riddle-{number}", f"Find the number whose double is {2 * number}.", (str(number),), kind, "riddles")
        for number in chosen
    ]
