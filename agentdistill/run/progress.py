"""The one printer of episodes' progress: of a rollout, and of the cells of a grid that run together."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from agentdistill.console import StageProgress
from agentdistill.rollout import RolloutProgress

_NAMES_SHOWN = 3


@contextlib.contextmanager
def episode_progress() -> Iterator[Callable[[tuple[str, ...], RolloutProgress], None]]:
    """Gives what shows the counts of the named rollouts; one bar at a time, that of those which run together now."""
    with contextlib.ExitStack() as bars:
        shown: dict[tuple[str, ...], StageProgress] = {}

        def show(names: tuple[str, ...], progress: RolloutProgress) -> None:
            if names not in shown:
                bars.close()
                shown[names] = bars.enter_context(StageProgress(_label(names)))
            shown[names].update(progress.finished + progress.failed, progress.total, _detail(progress))

        yield show


def _detail(progress: RolloutProgress) -> str:
    parts = [f"{progress.correct} correct"]
    if progress.failed:
        parts.append(f"{progress.failed} failed by the system")
    if progress.engine_deaths:
        parts.append(f"{progress.engine_deaths} engine restarts")
    return ", ".join(parts)


def _label(names: tuple[str, ...]) -> str:
    more = len(names) - _NAMES_SHOWN
    return ", ".join(names[:_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
