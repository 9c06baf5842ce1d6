"""The recipes that docs/recipes.md shows can be planned as they stand."""

import re
from pathlib import Path
from typing import Any

import pytest

from agentdistill.config import load
from agentdistill.run import Run

PAGE = Path(__file__).parents[3] / "docs" / "recipes.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)


@pytest.mark.parametrize(
    ("block", "function", "settings", "phases"),
    [
        (0, "rounds", ["Settings"], ["train-round0", "evaluate-round1"]),
        (1, "story", [], ["rollout", "halved", "select", "train"]),
    ],
)
def test_a_shown_recipe_makes_a_plan(
    block: int, function: str, settings: list[str], phases: list[str], tmp_path: Path
) -> None:
    names: dict[str, Any] = {"__name__": "shown"}
    exec(BLOCKS[block], names)
    run = Run(load(None, [f"folder={tmp_path}/run"]), planning=True)
    names[function](run, *(names[name]() for name in settings))
    assert set(phases) <= {call.name for call in run.calls}


def test_every_shown_block_is_tried() -> None:
    assert len(BLOCKS) == 2
