"""What self-consistent actions cost against greedy ones, in tokens, runs and seconds, on the real vLLM.

A model of 135M parameters that was never trained to act writes no code by itself. Here every turn of it is begun with
an open code block, so that there is something to run; what it writes is mostly wrong, what it costs is real.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from typing import Any

from agentdistill.agent import EpisodeSettings, run_episode
from agentdistill.config import AgentConfig, EngineConfig, SagConfig
from agentdistill.engines import Engine, open_engine
from agentdistill.sandbox import Limits, Sandbox
from agentdistill.types import Completion, Kind, Question, Request, Trajectory

_OPENING = "Thought: I compute it.\nCode:\n```py\n"


class _Opened:
    """An engine whose every completion begins with an open code block."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def __call__(self, request: Request) -> list[Completion]:
        found = await self._engine(dataclasses.replace(request, prefix=_OPENING))
        return [dataclasses.replace(completion, text=_OPENING + completion.text) for completion in found]


def sag_costs(model: str, quick: bool) -> dict[str, Any]:
    """Both ways over the same questions, the engine opened once, prefix caching on as always."""
    return asyncio.run(_sag_costs(model, episodes=4 if quick else 16))


async def _sag_costs(model: str, episodes: int) -> dict[str, Any]:
    engine = await open_engine(EngineConfig(model=model, max_model_len=2_048, max_num_seqs=128))
    settings = EpisodeSettings(run_id="bench", agent=AgentConfig(prompt="student", max_steps=3, max_tokens=64))
    try:
        with Sandbox(Limits(wall_s=5), preload=()) as sandbox:
            await _run(engine, sandbox, settings, 1)  # neither of the two meets a cold engine
            greedy = await _run(engine, sandbox, settings, episodes)
            voting = dataclasses.replace(settings, agent=dataclasses.replace(settings.agent, sag=SagConfig(n=8)))
            voted = await _run(engine, sandbox, voting, episodes)
    finally:
        await engine.close()
    ratio = {name: round(voted[name] / greedy[name], 2) if greedy[name] else None for name in greedy}
    return {f"SAG, n=8, {model}": {"episodes": episodes, "greedy": greedy, "SAG": voted, "times": ratio}}


async def _run(engine: Engine, sandbox: Sandbox, settings: EpisodeSettings, episodes: int) -> dict[str, float]:
    async def one(number: int) -> Trajectory:
        text = f"A shop sells {3 + number} boxes of {7 + 2 * number} pens and 5 single pens. How many pens is that?"
        question = Question(f"q{number}", text, (str((3 + number) * (7 + 2 * number) + 5),), Kind.MATH, "pens")
        session = sandbox.async_session()
        try:
            return await run_episode(question, _Opened(engine), session, settings)
        finally:
            await session.close()

    began = time.monotonic()
    done = await asyncio.gather(*(one(number) for number in range(episodes)))
    seconds = time.monotonic() - began
    assert not any(trajectory.stop_reason.is_system for trajectory in done), [item.error for item in done]
    steps = [step for trajectory in done for step in trajectory.steps]
    runs = sum(len({item.code for item in step.candidates or (step,) if item.code}) for step in steps)
    return {
        "seconds": round(seconds, 1),
        "steps": len(steps),
        "completion tokens": sum(step.num_completion_tokens for step in steps),
        "prompt tokens": sum(step.num_prompt_tokens for step in steps),
        "runs of code": runs,
        "completion tokens a step": round(sum(step.num_completion_tokens for step in steps) / len(steps), 1),
        "runs of code a step": round(runs / len(steps), 2),
        "seconds a step": round(seconds / len(steps), 3),
    }
