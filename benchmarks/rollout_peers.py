"""What `benchmarks/rollout.py` measures, each run in a process of its own: python rollout_peers.py KIND ARGUMENTS.

A run leaves the engine's log behind and prints one JSON object on its last line.

rollout     ours: `run_rollout`, actors and all
lockstep    all episodes of a batch take a turn together; the next turn begins when the slowest has written its last
smolagents  CodeAgent in a thread pool, as smolagents' own benchmark runs it: a new agent for each question
stream      ours: many questions with one short completion each, and what the driver keeps of them
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

_REPOSITORY = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(_REPOSITORY), str(_REPOSITORY / "benchmarks")]

import simulated_engine
from simulated_engine import SimulatedEngine, Speed

from agentdistill.agent import THOUGHT_CODE, EpisodeSettings
from agentdistill.agent.protocols.observation import observe
from agentdistill.config import AgentConfig, EngineConfig, RolloutConfig, SandboxConfig
from agentdistill.rollout import RolloutProgress, RolloutSpec, run_rollout
from agentdistill.sandbox import Sandbox


def rollout(speed: dict[str, Any], count: int, actors: int, in_flight: int) -> dict[str, float]:
    """Run `count` questions; the engine of each actor has the speed given."""
    with tempfile.TemporaryDirectory(prefix="bench-rollout-") as folder:
        settings = Path(folder) / "engine.json"
        simulated_engine.settle(Speed(**speed), settings)
        spec = _spec(folder, "expert", RolloutConfig(actors=actors, in_flight=in_flight))
        with _ray(settings, actors):
            summary = run_rollout(simulated_engine.questions(count), spec)
    assert summary.finished == count, summary
    return {"seconds": summary.duration_s}


def _spec(folder: str, expert: str, config: RolloutConfig, mode: str = "agent") -> RolloutSpec:
    return RolloutSpec(
        folder=f"{folder}/trajectories",
        engine=EngineConfig(engine="scripted", expert=f"simulated_engine:{expert}"),
        settings=EpisodeSettings(run_id="bench", agent=AgentConfig(prompt="student"), mode=mode),
        rollout=config,
        # Nothing is imported ahead: the simulated code needs none of it, and the peer has none.
        sandbox=SandboxConfig(preload=[], service=False),
    )


class _ray:
    """A local cluster whose processes find the simulated engine; its processors are counted, not bound."""

    def __init__(self, settings: Path | None, actors: int) -> None:
        self._settings, self._actors = settings, actors

    def __enter__(self) -> None:
        import ray

        found = {"PYTHONPATH": f"{_REPOSITORY}:{_REPOSITORY / 'benchmarks'}"}
        if self._settings is not None:
            found[simulated_engine.VARIABLE] = str(self._settings)
        ray.init(
            num_cpus=self._actors + 1,
            include_dashboard=False,
            object_store_memory=512 * 2**20,
            logging_level="ERROR",
            log_to_driver=False,
            runtime_env={"env_vars": found},
        )
        ray.data.DataContext.get_current().enable_progress_bars = False

    def __exit__(self, *_: object) -> None:
        import ray

        ray.shutdown()


def lockstep(speed: dict[str, Any], count: int, in_flight: int) -> dict[str, float]:
    began = time.monotonic()
    asyncio.run(_lockstep(Speed(**speed), count, in_flight))
    return {"seconds": time.monotonic() - began}


async def _lockstep(speed: Speed, count: int, in_flight: int) -> None:
    Path(speed.log).mkdir(parents=True)
    engine = SimulatedEngine(speed)
    with Sandbox(preload=()) as sandbox:
        for first in range(0, count, in_flight):
            numbers = range(first, min(first + in_flight, count))
            sessions = [sandbox.async_session() for _ in numbers]
            for turn in range(speed.turns):
                texts = await asyncio.gather(*(engine.write(number, turn) for number in numbers))
                codes = [THOUGHT_CODE.read(text).code for text in texts]
                runs = (session.run(code) for session, code in zip(sessions, codes, strict=True))
                outcomes = await asyncio.gather(*runs)
                for outcome in outcomes:
                    observe(outcome, 4_000)
            assert [outcome.final_answer for outcome in outcomes] == [str(2 * number) for number in numbers]
            await asyncio.gather(*(session.close() for session in sessions))


def smolagents(speed: dict[str, Any], count: int, threads: int, log: bool, reuse: bool) -> dict[str, float]:
    """`log`: as it is by default, to nowhere; `reuse`: one agent a thread, which reads its prompts once."""
    import threading

    from smolagents import CodeAgent, LogLevel

    settings = Speed(**speed)
    Path(settings.log).mkdir(parents=True)
    model = _model(SimulatedEngine(settings))
    kept = threading.local()

    def new() -> Any:
        level = LogLevel.INFO if log else LogLevel.OFF
        return CodeAgent(tools=[], model=model, verbosity_level=level, max_steps=settings.turns + 1)

    def answer(number: int) -> None:
        if not reuse:
            agent = new()
        else:
            agent = kept.agent = getattr(kept, "agent", None) or new()
        found = agent.run(simulated_engine.questions(1, number)[0].text)
        assert found == 2 * number, f"question {number}: {found}"

    began = time.monotonic()
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere), ThreadPoolExecutor(threads) as pool:
        list(pool.map(answer, range(count)))
    return {"seconds": time.monotonic() - began}


def _model(engine: SimulatedEngine) -> Any:
    from smolagents.models import ChatMessage, MessageRole, Model

    class Simulated(Model):
        def generate(self, messages: list[Any], stop_sequences: Any = None, **_: Any) -> ChatMessage:
            turn = sum(message.role == MessageRole.ASSISTANT for message in messages)
            task = next(message for message in messages if message.role == MessageRole.USER)
            text = engine.write_in_thread(simulated_engine.asked_number(task.content[0]["text"]), turn)
            text = text.replace("```py\n", "<code>\n").replace("\n```<end_code>", "\n</code>")
            return ChatMessage(role=MessageRole.ASSISTANT, content=text)

    return Simulated()


def stream(count: int, actors: int, in_flight: int) -> dict[str, Any]:
    """Seconds from the first finished episode on, and the driver's memory as it goes."""
    progress: list[tuple[float, int, float]] = []  # seconds, episodes finished, GiB

    def note(now: RolloutProgress) -> None:
        progress.append((time.monotonic(), now.finished, _memory_gib("VmRSS")))

    with tempfile.TemporaryDirectory(prefix="bench-rollout-") as folder:
        config = RolloutConfig(actors=actors, in_flight=in_flight)
        with _ray(None, actors):
            summary = run_rollout(
                simulated_engine.questions(count), _spec(folder, "short_answer", config, mode="cot"), note
            )
            ended = time.monotonic()
        size = sum(path.stat().st_size for path in Path(folder).rglob("*.parquet"))
    assert summary.finished == count, summary
    first = next(index for index, entry in enumerate(progress) if entry[1])
    return {
        "seconds": ended - progress[first][0],
        "peak_gib": _memory_gib("VmHWM"),
        "progress": [(at - progress[first][0], finished, gib) for at, finished, gib in progress[first:]],
        "stored_mb": size / 2**20,
    }


def _memory_gib(name: str) -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) / 2**20


KINDS = {"rollout": rollout, "lockstep": lockstep, "smolagents": smolagents, "stream": stream}


def start(kind: str, speed: Speed | None = None, **arguments: Any) -> dict[str, Any]:
    """Run one of KINDS in a process of its own, to its end; returns what it printed. Raises on its failure."""
    import subprocess

    if speed is not None:
        arguments["speed"] = dataclasses.asdict(speed)
    command = [sys.executable, __file__, kind, json.dumps(arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"the run {kind} {arguments} ended with status {done.returncode}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


if __name__ == "__main__":
    print(json.dumps(KINDS[sys.argv[1]](**json.loads(sys.argv[2]))))
