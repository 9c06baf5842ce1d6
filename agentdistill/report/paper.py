"""The paper's table as data, and which of its rows a cell of a run is to be held against."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from agentdistill.report.cells import Cell


@dataclass(frozen=True, slots=True)
class PaperTask:
    """One column of the paper's table."""

    name: str  # the project's name of the task
    short: str
    title: str
    questions: int
    kind: str


@dataclass(frozen=True, slots=True)
class PaperRow:
    """One row: accuracies as shares in [0, 1]."""

    size: str
    method: str
    mode: str
    trained: bool
    sag: bool
    first_thought_prefix: bool
    accuracy: dict[str, float]  # task name -> share correct
    average: float

    @property
    def label(self) -> str:
        return f"{self.size} {self.method}"


@dataclass(frozen=True, slots=True)
class Paper:
    source: str
    tasks: tuple[PaperTask, ...]
    rows: tuple[PaperRow, ...]

    def task(self, name: str) -> PaperTask | None:
        """The paper's task of this name, spelled loosely ("2WikiMultiHopQA" is "2wiki"), or None."""
        wanted = _plain(name)
        return next((task for task in self.tasks if wanted in (_plain(task.name), _plain(task.title))), None)

    def nearest(self, cell: Cell) -> PaperRow | None:
        """The row of the nearest method, and among those of the nearest size; None where the mode is not in it."""
        rows = [row for row in self.rows if (row.mode, row.trained) == (cell.mode, cell.trained)]
        if not rows:
            return None
        wanted = (cell.num_candidates > 1, cell.has_prefix)
        size = _billions(cell.size)
        return min(
            rows,
            key=lambda row: (
                row.sag != wanted[0],
                row.first_thought_prefix != wanted[1],
                abs(_billions(row.size) - size),
            ),
        )


@cache
def paper() -> Paper:
    """The paper's Table 2 (arXiv 2505.17612)."""
    content = json.loads(files("agentdistill.report").joinpath("data/paper.json").read_text(encoding="utf-8"))
    tasks = tuple(PaperTask(**task) for task in content["tasks"])
    names = [task.name for task in tasks]
    rows = tuple(
        PaperRow(
            **{
                **row,
                "accuracy": {name: value / 100 for name, value in zip(names, row["accuracy"], strict=True)},
                "average": row["average"] / 100,
            }
        )
        for row in content["rows"]
    )
    return Paper(content["source"], tasks, rows)


def task_order(names: Iterable[str]) -> list[str]:
    """Each name once: the paper's tasks first and in its order, then the others by name."""
    order = {task.name: number for number, task in enumerate(paper().tasks)}

    def place(name: str) -> tuple[int, str]:
        found = paper().task(name)
        return (order[found.name] if found else len(order), name)

    return sorted(set(names), key=place)


def task_title(name: str) -> str:
    """The paper's spelling of a task that stands in its table, else the name itself."""
    found = paper().task(name)
    return found.title if found else name


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _billions(size: str) -> float:
    found = re.fullmatch(r"([\d.]+)([BM])", size)
    if not found:
        return 0.0
    return float(found[1]) * (1.0 if found[2] == "B" else 1e-3)
