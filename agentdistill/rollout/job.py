"""Questions -> trajectories, on Ray Data: one mechanism for teachers and for evaluation.

Starting the same rollout again runs what is missing and what the system failed, and nothing else.
"""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from agentdistill import storage
from agentdistill.errors import DataError, EngineError, RunFolderError
from agentdistill.rollout.feed import build_dataset
from agentdistill.rollout.spec import RolloutProgress, RolloutSpec, RolloutSummary, WorkItem
from agentdistill.rollout.store import Inventory, compact, take_inventory
from agentdistill.types import Question

_POLL_S = 0.5
_STOP_S = 60.0

_logger = logging.getLogger(__name__)


def run_rollout(
    questions: list[Question],
    spec: RolloutSpec,
    on_progress: Callable[[RolloutProgress], None] = lambda progress: None,
) -> RolloutSummary:
    """Run every episode that is not finished yet; returns once all are on storage and counted.

    Needs a running Ray. Raises EngineError where the engine cannot start or dies again and again, or where more
    episodes fail by the system than the config allows; RunFolderError where the storage refuses.
    """
    (summary,) = run_rollouts(questions, [spec], lambda _, progress: on_progress(progress))
    return summary


def run_rollouts(
    questions: list[Question],
    specs: Sequence[RolloutSpec],
    on_progress: Callable[[int, RolloutProgress], None] = lambda index, progress: None,
) -> list[RolloutSummary]:
    """Several rollouts of the same questions on one engine, which each actor loads once: the cells of a grid.

    They may differ in folder, episode settings and samples, in nothing else. `on_progress` gets the number of the
    rollout with its progress. Raises as `run_rollout`; ValueError for specs that cannot share an engine.
    """
    began = time.monotonic()
    _check_ids(questions)
    _check_one_engine(specs)
    befores = []
    missing: list[WorkItem] = []
    for number, spec in enumerate(specs):
        storage.make_folder(spec.folder)
        before = take_inventory(spec.folder, clean=True)
        befores.append(before)
        missing += [
            WorkItem(question, sample, number)
            for question in questions
            for sample in range(spec.rollout.samples)
            if not before.is_finished((question.id, sample))
        ]
    if missing:
        _run_missing(missing, specs, len(questions), on_progress)
    return [
        _summarize(questions, spec, before, compact(spec.folder), time.monotonic() - began)
        for spec, before in zip(specs, befores, strict=True)
    ]


def _check_one_engine(specs: Sequence[RolloutSpec]) -> None:
    """Raise ValueError where an actor could not serve all of them with what it opened for the first."""
    if not specs:
        raise ValueError("no rollout to run, expected at least one")
    first = specs[0]
    for spec in specs[1:]:
        rollout = dataclasses.replace(first.rollout, samples=spec.rollout.samples)
        shared = dataclasses.replace(first, folder=spec.folder, settings=spec.settings, rollout=rollout)
        if spec != shared:
            raise ValueError(f"{spec.folder} and {first.folder} differ in more than folder, settings and samples")
    if len({spec.folder for spec in specs}) < len(specs):
        raise ValueError(f"folders are {[spec.folder for spec in specs]}, expected one for each rollout")


def _check_ids(questions: Iterable[Question]) -> None:
    seen: set[str] = set()
    for question in questions:
        if question.id in seen:
            raise DataError(f"question id {question.id!r} stands twice, expected every id once")
        seen.add(question.id)


def _run_missing(
    missing: list[WorkItem],
    specs: Sequence[RolloutSpec],
    num_questions: int,
    on_progress: Callable[[int, RolloutProgress], None],
) -> None:
    import ray

    from agentdistill.rollout.monitor import Monitor

    monitor = Monitor.remote(specs[0].rollout, len(specs))  # type: ignore[attr-defined]
    dataset = build_dataset(missing, specs, monitor)
    failure: list[BaseException] = []

    def consume() -> None:
        try:
            for _ in dataset.iter_batches(batch_size=None, batch_format="pyarrow"):
                pass
        except BaseException as error:
            failure.append(error)

    # In a thread, so that the driver can watch the counts and stop the run meanwhile.
    consumer = threading.Thread(target=consume, name="rollout-consumer", daemon=True)
    consumer.start()
    totals = [num_questions * spec.rollout.samples for spec in specs]
    open_now = Counter(item.spec_index for item in missing)
    try:
        while consumer.is_alive():
            consumer.join(_POLL_S)
            counts, verdict = ray.get([monitor.counts.remote(), monitor.verdict.remote()])
            for number, still_open in sorted(open_now.items()):
                done = counts[number] | {"finished": counts[number]["finished"] + totals[number] - still_open}
                on_progress(number, RolloutProgress(total=totals[number], **done))
            if verdict:
                raise EngineError(f"rollout stopped: {verdict}")
        if failure:
            raise ray.get(monitor.fatal.remote()) or failure[0]
    finally:
        if consumer.is_alive():
            _stop(consumer, monitor)
        ray.kill(monitor)


def _stop(consumer: threading.Thread, monitor: Any) -> None:
    """End a rollout before its end: without its actors the data set fails, and its threads leave this process.

    One left behind would go on asking a cluster that may be gone by then.
    """
    import ray

    until = time.monotonic() + _STOP_S
    while consumer.is_alive() and time.monotonic() < until:
        for actor in ray.get(monitor.actors.remote()):
            ray.kill(actor)
        consumer.join(_POLL_S)
    if consumer.is_alive():
        _logger.warning("the stopped rollout still runs in the background after %g s", _STOP_S)


def _summarize(
    questions: Sequence[Question], spec: RolloutSpec, before: Inventory, after: Inventory, duration_s: float
) -> RolloutSummary:
    """Count what is there against what was asked for. Raises RunFolderError where they do not add up."""
    keys = [(question.id, sample) for question in questions for sample in range(spec.rollout.samples)]
    lost = sum(key not in after.winners for key in keys)
    if lost or after.num_rows != len(after.winners):
        raise RunFolderError(
            f"{spec.folder}: {lost} of {len(keys)} trajectories are missing and "
            f"{after.num_rows - len(after.winners)} stand twice; run the same command again"
        )
    finished = sum(map(after.is_finished, keys))
    return RolloutSummary(
        folder=spec.folder,
        total=len(keys),
        finished=finished,
        failed=len(keys) - finished,
        reused=sum(map(before.is_finished, keys)),
        duration_s=duration_s,
        torn_files=tuple(before.torn),
    )
