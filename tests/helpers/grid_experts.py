"""Experts for tests of the grid, importable by workers; each process that one writes in leaves a mark."""

import os
import random
import re
from collections.abc import Sequence
from pathlib import Path

from agentdistill.types import Message

ACTION = "Thought: I take it to be {answer}.\nCode:\n```py\nfinal_answer({answer})\n```<end_code>"
CHAIN = "I take it to be {answer}.\n\nAnswer: {answer}"


def sometimes(messages: Sequence[Message], seed: int) -> str:
    """Right three times out of five, as seed and question have it; else a number that no other seed writes."""
    Path(os.environ["GRID_TEST_FOLDER"], f"pid-{os.getpid()}").touch()
    return sometimes_text(messages[0].content, messages[1].content, seed)


def sometimes_text(system: str, question: str, seed: int) -> str:
    found = re.search(r"\d+", question)
    assert found is not None
    rng = random.Random(f"{seed} {question}")
    answer = int(found.group()) if rng.random() < 0.6 else rng.randrange(10_000, 10_000_000)
    return (ACTION if "final_answer" in system else CHAIN).format(answer=answer)
