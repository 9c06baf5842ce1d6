"""A rollout on a real engine whose processes are killed and stopped: after all of it the counts add up."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import ray

from agentdistill import storage
from agentdistill.agent import EpisodeSettings
from agentdistill.config import AgentConfig, EngineConfig, RolloutConfig, SandboxConfig
from agentdistill.rollout import RolloutProgress, RolloutSpec, run_rollout
from agentdistill.schema import TRAJECTORIES, trajectories_from_table
from agentdistill.types import Kind, Question, StopReason

pytestmark = [pytest.mark.slow, pytest.mark.ray, pytest.mark.timeout(600)]


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    ray.init(num_cpus=2, include_dashboard=False, object_store_memory=128 * 2**20, logging_level="ERROR")
    yield
    ray.shutdown()


def engine_process() -> psutil.Process | None:
    """vLLM's own process below this test's cluster; None while there is none."""
    for process in psutil.Process().children(recursive=True):
        try:
            if "EngineCore" in " ".join(process.cmdline()) and is_alive(process):
                return process
        except psutil.Error:
            continue
    return None


def is_alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def wait_until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until, "the condition never came true"
        time.sleep(0.05)


class Saboteur:
    """Does its next deed when the engine that is there now has finished an episode or two."""

    def __init__(self) -> None:
        self.deeds = [self.kill_actor, self.kill_engine, self.stop_engine]
        self.victims: list[psutil.Process] = []
        self.last: RolloutProgress | None = None
        self._not_before = 2

    def __call__(self, progress: RolloutProgress) -> None:
        self.last = progress
        engine = engine_process()
        if self.deeds and progress.finished >= self._not_before and engine is not None and engine not in self.victims:
            self.victims.append(engine)
            self.deeds.pop(0)(engine)
            self._not_before = progress.finished + 2

    def kill_actor(self, engine: psutil.Process) -> None:
        """With no chance to clean up; its engine must go all the same, and give back its memory."""
        os.kill(engine.ppid(), signal.SIGKILL)
        wait_until(lambda: not is_alive(engine))

    def kill_engine(self, engine: psutil.Process) -> None:
        engine.send_signal(signal.SIGKILL)

    def stop_engine(self, engine: psutil.Process) -> None:
        engine.send_signal(signal.SIGSTOP)


def test_whatever_happens_to_the_engine_every_episode_ends_once(tmp_path: Path) -> None:
    questions = [Question(f"q{i}", f"What is {i} plus {i}?", (str(2 * i),), Kind.MATH, "test") for i in range(60)]
    questions.append(Question("long", "How long is this? " * 400, ("long",), Kind.FACTUAL, "test"))
    spec = RolloutSpec(
        folder=str(tmp_path),
        engine=EngineConfig(max_model_len=1024, kv_cache_gb=1.0, max_num_seqs=8, stall_s=30.0),
        settings=EpisodeSettings(
            run_id="run",
            agent=AgentConfig(prompt="student", max_steps=1, max_tokens=32, logprobs=True, prompt_token_ids=True),
        ),
        rollout=RolloutConfig(in_flight=4, flush_s=0.1, attempts=1),
        sandbox=SandboxConfig(preload=[], service=False),
    )
    saboteur = Saboteur()
    summary = run_rollout(questions, spec, saboteur)

    assert not saboteur.deeds
    assert saboteur.last is not None
    assert saboteur.last.engine_deaths == 2  # the killed actor could not report its own
    assert (summary.total, summary.finished, summary.failed) == (61, 61, 0)
    rows = {row.question_id: row for row in trajectories_from_table(storage.read_folder(str(tmp_path), TRAJECTORIES))}
    assert len(rows) == 61
    assert rows["long"].stop_reason is StopReason.CONTEXT_FULL
    for step in (step for row in rows.values() for step in row.steps):
        assert len(step.token_ids) == len(step.logprobs) == step.num_completion_tokens > 0
        assert len(step.prompt_token_ids) == step.num_prompt_tokens > 0
        assert max(step.logprobs) <= 0
    wait_until(lambda: engine_process() is None and not any(map(is_alive, saboteur.victims)))
