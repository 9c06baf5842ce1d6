"""The Ray Data actor that runs episodes: one engine, many episodes, each at its own pace."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import os
from typing import Any

import pyarrow as pa
import ray

from agentdistill.agent import EpisodeSettings, run_episode
from agentdistill.engines import Engine, open_engine
from agentdistill.environments import open_environment
from agentdistill.errors import AgentDistillError
from agentdistill.grading import Grader, graded
from agentdistill.rollout.monitor import Ending, Reports
from agentdistill.rollout.sessions import SessionSource, open_session_source
from agentdistill.rollout.spec import RolloutSpec, WorkItem
from agentdistill.rollout.store import GroupWriter, Key, take_inventory
from agentdistill.schema import question_from_row
from agentdistill.types import Environment, Trajectory

_logger = logging.getLogger(__name__)


class EpisodeWorker:
    """Called by Ray Data with a few rows at a time, many calls at once, all on one event loop.

    Episodes beyond `in_flight` wait here, so that a slow episode holds its own call open and nothing else.
    """

    def __init__(self, specs: tuple[RolloutSpec, ...], monitor: Any) -> None:
        self._specs, self._monitor, self._reports = specs, monitor, Reports(monitor)
        self._parts: asyncio.Task[_Parts] | None = None
        self._slots = asyncio.Semaphore(specs[0].rollout.in_flight)
        self._ending = False
        self._finished = [_finished_before(spec.folder) for spec in specs]
        monitor.join.remote(ray.get_runtime_context().current_actor)

    async def __call__(self, batch: pa.Table) -> pa.Table:
        """Run the episodes of a batch, write them, and return their keys.

        An error that ends the run goes to the monitor as it is: Ray Data would hand on its text alone.
        """
        try:
            return await self._run_batch(batch)
        except AgentDistillError as error:
            await self._monitor.fail.remote(error)
            raise

    async def _run_batch(self, batch: pa.Table) -> pa.Table:
        if self._parts is None:
            self._parts = asyncio.create_task(_Parts.open(self._specs))
        parts = await asyncio.shield(self._parts)
        rows = batch.to_pylist()
        items = [WorkItem(question_from_row(row), row["sample_index"], row["spec_index"]) for row in rows]
        # Where this call is a repetition after an actor's death, part of it is on storage already.
        missing = [
            item for item in items if (item.question.id, item.sample_index) not in self._finished[item.spec_index]
        ]
        await asyncio.gather(*(self._run_and_write(parts, item) for item in missing))
        self._reports.send()  # the driver stops counting once it has the keys of all calls
        return pa.table(
            {
                "question_id": [item.question.id for item in items],
                "sample_index": [item.sample_index for item in items],
                "spec_index": [item.spec_index for item in items],
            }
        )

    async def _run_and_write(self, parts: _Parts, item: WorkItem) -> None:
        async with self._slots:
            if not await _has_room(parts.engine):
                await self._end_this_actor("it died while an episode waited to start")
            trajectory = await self._attempt(parts, item)
        await parts.writers[item.spec_index].add(trajectory)
        correct = bool(trajectory.grade and trajectory.grade.correct)
        tokens = trajectory.num_completion_tokens
        self._reports.add(Ending(item.spec_index, trajectory.stop_reason, correct, tokens, trajectory.error))

    async def _attempt(self, parts: _Parts, item: WorkItem) -> Trajectory:
        """Run the episode until the system lets it end, at most `attempts` times."""
        for attempt in range(self._specs[0].rollout.attempts):
            trajectory = await parts.run(item)
            if parts.engine.dead:
                await self._end_this_actor(trajectory.error)
            if not trajectory.stop_reason.is_system:
                break
            _logger.warning(
                "question %s, sample %d, attempt %d: %s: %s",
                item.question.id, item.sample_index, attempt + 1, trajectory.stop_reason, trajectory.error,
            )  # fmt: skip
        return trajectory

    async def _end_this_actor(self, error: str) -> None:
        """End the process: Ray starts another with a fresh engine, and Ray Data sends it the open batches again."""
        if self._ending:
            # Every open episode finds the same dead engine: the death is reported, and counted, once.
            await asyncio.Event().wait()
        self._ending = True
        _logger.error("the engine is dead (%s); this actor ends itself", error)
        await self._monitor.engine_died.remote(error)
        os._exit(1)


@dataclasses.dataclass
class _Parts:
    """What an actor opens once for all its rollouts: engine, sandbox, search, grader; and a writer for each."""

    specs: tuple[RolloutSpec, ...]
    engine: Engine
    sessions: SessionSource
    grader: Grader
    writers: list[GroupWriter]

    @classmethod
    async def open(cls, specs: tuple[RolloutSpec, ...]) -> _Parts:
        """Raises EngineError, SandboxError, MissingPartError: the run cannot start."""
        first = specs[0]
        engine = await open_engine(first.engine)
        return cls(
            specs,
            engine,
            await open_session_source(first),
            Grader(first.grading),
            [GroupWriter(spec.folder, spec.rollout.flush_s) for spec in specs],
        )

    async def run(self, item: WorkItem) -> Trajectory:
        """One graded episode; a failure of any part is in its record."""
        settings = episode_settings(self.specs[item.spec_index], self.engine, item.sample_index)
        environment = open_environment(settings, self.sessions)
        try:
            trajectory = await run_episode(item.question, self.engine, environment, settings)
        finally:
            await _close(environment)
        has_judge = self.specs[0].grading.judge is not None
        return await graded(trajectory, item.question, self.grader, has_judge)


async def _close(environment: Environment) -> None:
    """End an episode's environment; one of a user's that cannot be ended costs the others nothing."""
    try:
        await environment.close()
    except Exception as error:
        _logger.warning("an environment could not be closed: %s: %s", type(error).__name__, error)


def episode_settings(spec: RolloutSpec, engine: Engine, sample_index: int) -> EpisodeSettings:
    """The settings of one sample: its own seed, and the engine's name for the record."""
    return dataclasses.replace(
        spec.settings,
        sample_index=sample_index,
        seed=spec.settings.seed + sample_index,
        model=spec.settings.model or engine.model,
        model_revision=engine.revision,
    )


def _finished_before(folder: str) -> set[Key]:
    """What is on storage of the calls that this actor may be handed again: none, unless it takes a dead one's place."""
    if not ray.get_runtime_context().was_current_actor_reconstructed:
        return set()
    return take_inventory(folder).finished


#: Admission follows the engine's cache: a new episode waits while it is nearly full or requests queue.
_FULL_SHARE = 0.95
_ADMISSION_POLL_S = 0.05


async def _has_room(engine: Engine) -> bool:
    """Wait until the engine takes another episode; False where it died instead."""
    while not engine.dead:
        load = engine.load()
        if load.kv_cache_usage < _FULL_SHARE and load.num_waiting == 0:
            return True
        await asyncio.sleep(_ADMISSION_POLL_S)
    return False
