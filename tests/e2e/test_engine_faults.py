"""A rollout on a real engine whose processes are killed and stopped: after all of it the counts add up."""

import asyncio
import dataclasses
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import ray
from ray import serve

from agentdistill import storage
from agentdistill.agent import EpisodeSettings
from agentdistill.config import AgentConfig, EngineConfig, RetrieverConfig, RolloutConfig, SandboxConfig
from agentdistill.rollout import RolloutProgress, RolloutSpec, run_rollouts
from agentdistill.schema import TRAJECTORIES, trajectories_from_table
from agentdistill.types import Kind, Question, StopReason, Trajectory

pytestmark = [pytest.mark.slow, pytest.mark.ray, pytest.mark.timeout(900)]


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    ray.init(num_cpus=2, include_dashboard=False, object_store_memory=128 * 2**20, logging_level="ERROR")
    serve.start(proxy_location="Disabled")
    yield
    serve.shutdown()
    ray.shutdown()


def gate_app(folder: Path) -> Any:
    """A retriever that finds nothing, and says so only once the gate is open."""

    # Defined here, so that replicas get it by value: they cannot import this file.
    @serve.deployment(ray_actor_options={"num_cpus": 0.1}, max_ongoing_requests=100, graceful_shutdown_timeout_s=0)
    class Gate:
        async def search(self, queries: list[str], k: int, deadline_s: float) -> list[list[Any]]:
            (folder / "asked").touch()
            while not (folder / "open").exists():
                await asyncio.sleep(0.02)
            return [[] for _ in queries]

    return Gate.bind()


def engine_process() -> psutil.Process | None:
    """vLLM's own process below this test's cluster; None while there is none.

    It is a child that an actor spawned; the title that vLLM gives it is not there at first, and not on every machine.
    """
    for process in psutil.Process().children(recursive=True):
        try:
            shown = " ".join(process.cmdline())
            if ("EngineCore" in shown or "spawn_main" in shown) and is_alive(process):
                return process
        except psutil.Error:
            continue
    return None


def is_alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def wait_until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < until, "the condition never came true"
        time.sleep(0.05)


class Saboteur:
    """Does its next deed once the engine that is there now serves, and opens the gate after its last.

    An actor asks at the gate when its engine is loaded, and what waits there keeps the run from ending before that.
    """

    def __init__(self, gate: Path) -> None:
        self.deeds = [self.kill_actor, self.kill_engine, self.stop_engine]
        self.engines: set[psutil.Process] = set()  # all that there ever were, victims or not
        self.deaths = 0
        self._gate = gate
        self._victim: psutil.Process | None = None

    def __call__(self, rollout: int, progress: RolloutProgress) -> None:
        self.deaths = progress.engine_deaths
        engine = engine_process()
        if engine is None:
            return
        self.engines.add(engine)
        if self.deeds and engine != self._victim and self._serves(engine):
            self._victim = engine
            self.deeds.pop(0)(engine)
            if not self.deeds:
                (self._gate / "open").touch()

    def _serves(self, engine: psutil.Process) -> bool:
        """Whether somebody asked at the gate since this engine began to load."""
        asked = self._gate / "asked"
        return asked.exists() and asked.stat().st_mtime > engine.create_time()

    def kill_actor(self, engine: psutil.Process) -> None:
        """With no chance to clean up; its engine must go all the same, and give back its memory."""
        os.kill(engine.ppid(), signal.SIGKILL)
        wait_until(lambda: not is_alive(engine))

    def kill_engine(self, engine: psutil.Process) -> None:
        engine.send_signal(signal.SIGKILL)

    def stop_engine(self, engine: psutil.Process) -> None:
        engine.send_signal(signal.SIGSTOP)


def specs(folder: Path) -> list[RolloutSpec]:
    """Episodes that search before they begin, where the gate holds them; and agents that nothing holds."""
    agents = RolloutSpec(
        folder=str(folder / "agents"),
        engine=EngineConfig(max_model_len=1024, kv_cache_gb=1.0, max_num_seqs=8, stall_s=30.0),
        settings=EpisodeSettings(
            run_id="run",
            agent=AgentConfig(prompt="student", max_steps=1, max_tokens=32, logprobs=True, prompt_token_ids=True),
        ),
        # More in flight than wait at the gate. On a slow machine an engine may die of its slowness besides.
        rollout=RolloutConfig(in_flight=32, flush_s=0.1, attempts=1, max_engine_deaths=20),
        sandbox=SandboxConfig(preload=[], service=False),
        retriever_app="gate",
        retriever=RetrieverConfig(deadline_s=3_600.0),
    )
    held = dataclasses.replace(agents.settings, mode="cot_rag")
    return [dataclasses.replace(agents, folder=str(folder / "held"), settings=held), agents]


def check_rows(rows: list[Trajectory], count: int) -> None:
    """Every question once, the one that is too long for its own reason, and each token with its log-probability."""
    reasons = {row.question_id: row.stop_reason for row in rows}
    assert len(rows) == len(reasons) == count
    assert reasons["long"] is StopReason.CONTEXT_FULL
    assert StopReason.TIME_BUDGET not in reasons.values()
    for step in (step for row in rows for step in row.steps):
        assert len(step.token_ids) == len(step.logprobs) == step.num_completion_tokens > 0
        assert len(step.prompt_token_ids) == step.num_prompt_tokens > 0
        assert max(step.logprobs) <= 0


def test_whatever_happens_to_the_engine_every_episode_ends_once(tmp_path: Path) -> None:
    questions = [Question(f"q{i}", f"What is {i} plus {i}?", (str(2 * i),), Kind.MATH, "test") for i in range(24)]
    questions.append(Question("long", "How long is this? " * 400, ("long",), Kind.FACTUAL, "test"))
    serve.run(gate_app(tmp_path), name="gate", route_prefix=None)
    saboteur = Saboteur(tmp_path)
    summaries = run_rollouts(questions, specs(tmp_path), saboteur)

    assert not saboteur.deeds
    # Of the engines that there were, the last one did not die, and the killed actor could not report its own.
    assert saboteur.deaths == len(saboteur.engines) - 2 >= 2
    for summary in summaries:
        assert (summary.total, summary.finished, summary.failed) == (25, 25, 0)
        check_rows(trajectories_from_table(storage.read_folder(summary.folder, TRAJECTORIES)), 25)
    wait_until(lambda: engine_process() is None and not any(map(is_alive, saboteur.engines)))
