"""What satisfies `agentdistill.types.Engine`: vLLM in process, an OpenAI-compatible endpoint, a scripted function."""

from agentdistill.engines.base import Opener, actor_gpus, engine_gpus, engine_name, open_engine, tells
from agentdistill.engines.scripted import Expert, ScriptedEngine
from agentdistill.types import Engine, EngineLoad

__all__ = [
    "Engine",
    "EngineLoad",
    "Expert",
    "Opener",
    "ScriptedEngine",
    "actor_gpus",
    "engine_gpus",
    "engine_name",
    "open_engine",
    "tells",
]
