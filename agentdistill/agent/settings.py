"""How an episode is run, as one frozen value that travels to every worker."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass, field

from agentdistill.config import AgentConfig
from agentdistill.config.prompts import is_path
from agentdistill.types import Sampling, ToolText

#: In front of the mode of episodes that vote on the answer of their question.
VOTE_PREFIX = "vote_"


@dataclass(frozen=True, slots=True)
class Mode:
    """What a mode means where the `agent` section does not say otherwise."""

    protocol: str
    environment: str
    prompt: str | None = None  # None: that of the `agent` section


MODES = {
    "agent": Mode("thought_code", "python"),
    "cot": Mode("chain_of_thought", "none", "cot"),
    "cot_rag": Mode("chain_of_thought", "passages", "cot_rag"),
}


@dataclass(frozen=True, slots=True)
class EpisodeSettings:
    """Who acts, under which name the record is kept, and within which bounds."""

    run_id: str
    agent: AgentConfig = field(default_factory=AgentConfig)  # not to be changed
    role: str = "teacher"
    model: str = ""
    model_revision: str = ""
    mode: str = "agent"  # or cot, cot_rag; after "vote_" for episodes that vote on the answer
    tools: tuple[ToolText, ...] = ()  # what the prompt says can be called, beside final_answer
    sample_index: int = 0
    seed: int = 0

    @property
    def episode_mode(self) -> str:
        """What one episode is: agent, cot or cot_rag."""
        return self.mode.removeprefix(VOTE_PREFIX)

    @property
    def protocol(self) -> str:
        """The name of the agent protocol."""
        return self.agent.protocol or MODES[self.episode_mode].protocol

    @property
    def environment(self) -> str:
        """The name of the environment."""
        return self.agent.environment or MODES[self.episode_mode].environment

    @property
    def prompt(self) -> str | None:
        """The system prompt's name; None: the protocol's own."""
        return MODES[self.episode_mode].prompt or self.agent.prompt

    def sampling(self, stop: tuple[str, ...]) -> Sampling:
        """Sampling of every step. Seeds of neighbouring samples lie far apart: an engine counts up from them for n."""
        agent, sag = self.agent, self.agent.sag
        return Sampling(
            n=sag.n,
            temperature=sag.temperature if sag.n > 1 else agent.temperature,
            top_p=sag.top_p if sag.n > 1 else agent.top_p,
            max_tokens=agent.max_tokens,
            stop=stop,
            seed=self.seed * 1_000_003 % 2**31,
            logprobs=agent.logprobs,
        )


def for_workers(agent: AgentConfig) -> AgentConfig:
    """The section with the absolute path of its prompt: workers have another working directory."""
    if agent.prompt is None or not is_path(agent.prompt):
        return agent
    return dataclasses.replace(agent, prompt=os.path.abspath(agent.prompt))
