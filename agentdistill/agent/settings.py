"""How an episode is run, as one frozen value that travels to every worker."""

from __future__ import annotations

from dataclasses import dataclass

from agentdistill.config import AgentConfig
from agentdistill.types import Sampling

#: In front of the mode of episodes that vote on the answer of their question.
VOTE_PREFIX = "vote_"


@dataclass(frozen=True, slots=True)
class EpisodeSettings:
    """Who acts, under which name the record is kept, and within which bounds."""

    run_id: str
    role: str = "teacher"
    model: str = ""
    model_revision: str = ""
    mode: str = "agent"  # or cot, cot_rag; after "vote_" for episodes that vote on the answer
    prompt: str = "teacher"
    max_steps: int = 5
    max_tokens: int = 1024  # new tokens a step
    temperature: float = 0.0
    top_p: float = 1.0
    observation_chars: int = 4_000
    token_budget: int | None = None  # completion tokens an episode
    time_budget_s: float = 1_800.0
    first_thought_prefix: bool = False
    first_thought_tokens: int | None = None  # the prefix ends with the last whole sentence within so many
    logprobs: bool = False  # keep each sampled token's log-probability
    prompt_token_ids: bool = False  # keep each step's prompt as token ids
    sag_n: int = 1
    sag_temperature: float = 0.4
    sag_top_p: float = 0.8
    sample_index: int = 0
    seed: int = 0

    @classmethod
    def from_config(cls, agent: AgentConfig, **identity: object) -> EpisodeSettings:
        """Settings from the `agent` section; `identity` gives run_id, role, model and the like."""
        return cls(
            prompt=agent.prompt,
            max_steps=agent.max_steps,
            max_tokens=agent.max_tokens,
            temperature=agent.temperature,
            top_p=agent.top_p,
            observation_chars=agent.observation_chars,
            token_budget=agent.token_budget,
            time_budget_s=agent.time_budget_s,
            first_thought_prefix=agent.first_thought_prefix,
            first_thought_tokens=agent.first_thought_tokens,
            logprobs=agent.logprobs,
            prompt_token_ids=agent.prompt_token_ids,
            sag_n=agent.sag.n,
            sag_temperature=agent.sag.temperature,
            sag_top_p=agent.sag.top_p,
            **identity,  # type: ignore[arg-type]
        )

    @property
    def episode_mode(self) -> str:
        """What one episode is: agent, cot or cot_rag."""
        return self.mode.removeprefix(VOTE_PREFIX)

    def sampling(self, stop: tuple[str, ...]) -> Sampling:
        """Sampling of every step. Seeds of neighbouring samples lie far apart: an engine counts up from them for n."""
        sag = self.sag_n > 1
        return Sampling(
            n=self.sag_n,
            temperature=self.sag_temperature if sag else self.temperature,
            top_p=self.sag_top_p if sag else self.top_p,
            max_tokens=self.max_tokens,
            stop=stop,
            seed=self.seed * 1_000_003 % 2**31,
            logprobs=self.logprobs,
        )
