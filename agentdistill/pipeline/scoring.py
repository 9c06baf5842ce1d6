"""The benchmark grid as a command runs it: progress, the judge, and the figures that the run folder keeps."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from agentdistill import storage
from agentdistill.config import EvaluateConfig, GradingConfig
from agentdistill.console import StageProgress, console
from agentdistill.evaluate import TrainedStudent, run_cells, summarize_cells
from agentdistill.pipeline.results import cell_to_json
from agentdistill.rollout import RolloutProgress, RolloutSpec
from agentdistill.scoring import JudgeSummary, judge_rollouts
from agentdistill.types import Question

_NAMES_SHOWN = 3


def score(
    config: EvaluateConfig, questions: list[Question], base: RolloutSpec, folder: str, student: TrainedStudent | None
) -> dict[str, Any]:
    """Run what is missing of the grid, judge what has no grade, write `scores.json`, and return its content."""
    with _progress() as show:
        runs = run_cells(questions, config, base, folder, student, show)
    judged = judge_answers([run.spec.folder for run in runs], base.grading)
    rows = {name: cell_to_json(cell) for name, cell in summarize_cells(runs).items()}
    storage.write_json(storage.join(folder, "scores.json"), rows)
    return {"cells": rows, "judge": judged}


def judge_answers(folders: Sequence[str], grading: GradingConfig) -> dict[str, Any]:
    """Let the judge, where there is one, decide the factual answers without a grade; says how many it could not."""
    if grading.judge is None:
        return dataclasses.asdict(JudgeSummary())
    with StageProgress("answers judged") as progress:
        summary = judge_rollouts(folders, grading.judge, lambda done, total: progress.update(done, total))
    if summary.failed:
        reason = next(iter(summary.reasons))
        console.print(
            f"  {summary.failed} of {summary.answers} answers could not be judged ({reason}); they count for nobody, "
            "and the same command asks again",
            markup=False,
        )
    return dataclasses.asdict(summary)


def show_rollout(progress: StageProgress) -> Callable[[RolloutProgress], None]:
    """What shows the counts of a rollout on a bar."""

    def show(state: RolloutProgress) -> None:
        ended = state.finished + state.failed
        parts = [f"{state.correct} correct"]
        if state.failed:
            parts.append(f"{state.failed} failed by the system")
        if state.engine_deaths:
            parts.append(f"{state.engine_deaths} engine restarts")
        progress.update(ended, state.total, ", ".join(parts))

    return show


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[tuple[str, ...], RolloutProgress], None]]:
    """One bar at a time: that of the cells that run together now."""
    with contextlib.ExitStack() as bars:
        shown: dict[tuple[str, ...], StageProgress] = {}

        def show(names: tuple[str, ...], progress: RolloutProgress) -> None:
            if names not in shown:
                bars.close()
                shown[names] = bars.enter_context(StageProgress(_label(names)))
            show_rollout(shown[names])(progress)

        yield show


def _label(names: tuple[str, ...]) -> str:
    more = len(names) - _NAMES_SHOWN
    return ", ".join(names[:_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
