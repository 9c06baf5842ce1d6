"""What the rollout tests share: a cluster's settings, questions, specs, and what is on storage."""

import os
from pathlib import Path
from typing import Any

from agentdistill import storage
from agentdistill.agent import EpisodeSettings
from agentdistill.config import AgentConfig, EngineConfig, RolloutConfig, SandboxConfig
from agentdistill.rollout import RolloutSpec
from agentdistill.schema import TRAJECTORIES, trajectories_from_table
from agentdistill.types import Kind, Question, Trajectory

#: Workers import the experts from here.
RUNTIME_ENV = {"env_vars": {"PYTHONPATH": str(Path(__file__).parent)}}


def cluster_settings(marks: Path) -> dict[str, Any]:
    """Arguments of `ray.init` for a cluster whose experts meet the test in the folder `marks`."""
    os.environ["ROLLOUT_TEST_FOLDER"] = str(marks)
    return {
        "num_cpus": 4,
        "include_dashboard": False,
        "object_store_memory": 128 * 2**20,
        "logging_level": "ERROR",
        "runtime_env": RUNTIME_ENV,
    }


def questions(count: int) -> list[Question]:
    return [Question(f"q{index}", f"What is {index}?", (str(index),), Kind.MATH, "test") for index in range(count)]


def spec_for(folder: Path | str, expert: str, *, agent: dict[str, Any] | None = None, **rollout: Any) -> RolloutSpec:
    """A rollout by a scripted expert, each actor with a sandbox of its own."""
    return RolloutSpec(
        folder=str(folder),
        engine=EngineConfig(engine="scripted", expert=f"rollout_experts:{expert}"),
        settings=EpisodeSettings(run_id="test", agent=AgentConfig(prompt="student", **(agent or {}))),
        rollout=RolloutConfig(**{"in_flight": 8, "flush_s": 0.1, **rollout}),
        sandbox=SandboxConfig(preload=[], service=False),
    )


def stored(folder: Path | str) -> list[Trajectory]:
    return trajectories_from_table(storage.read_folder(str(folder), TRAJECTORIES))
