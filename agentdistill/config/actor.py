"""Settings of who acts: an engine, and an agent that uses it."""

from dataclasses import dataclass

from agentdistill.config.agent import AgentConfig
from agentdistill.config.engine import EngineConfig
from agentdistill.config.settings import section, setting


@dataclass
class ActorConfig:
    """A teacher at work."""

    engine: EngineConfig = section(EngineConfig)
    mode: str = setting("agent", choices=("agent", "cot", "cot_rag"))
    agent: AgentConfig = section(AgentConfig)

    def problems(self):
        if self.mode != "agent" and self.agent.first_thought_prefix:
            yield "agent.first_thought_prefix", True, f"false with mode={self.mode}: only an agent has one"
        if self.mode != "agent" and self.agent.sag.n > 1:
            yield "agent.sag.n", self.agent.sag.n, f"1 with mode={self.mode}: there are no actions to vote on"
        if self.agent.first_thought_prefix and self.engine.engine == "openai" and self.engine.dialect == "openai":
            yield "agent.first_thought_prefix", True, "false, or an engine that can continue a prefix (dialect=vllm)"
