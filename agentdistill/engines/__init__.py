"""What satisfies `agentdistill.types.Generate`: vLLM in process, an OpenAI-compatible endpoint, a scripted function."""

from agentdistill import plugins
from agentdistill.config import EngineConfig
from agentdistill.engines.base import Engine, EngineLoad, engine_name
from agentdistill.engines.scripted import Expert, ScriptedEngine


async def open_engine(config: EngineConfig) -> Engine:
    """Open the engine that the config names. Raises EngineError, MissingPartError, ConfigError."""
    if config.engine == "scripted":
        return ScriptedEngine(plugins.load("expert", config.expert), name=engine_name(config))
    if config.engine == "openai":
        from agentdistill.engines.openai import OpenAIEngine

        return OpenAIEngine(config)
    from agentdistill.engines.vllm import VllmEngine

    return await VllmEngine.open(config)


__all__ = ["Engine", "EngineLoad", "Expert", "ScriptedEngine", "engine_name", "open_engine"]
