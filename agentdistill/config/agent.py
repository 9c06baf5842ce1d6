"""Settings of the agent: how it uses an engine."""

from dataclasses import dataclass, field
from typing import Any

from agentdistill.config.prompts import prompt_problems, protocol_problems
from agentdistill.config.settings import section, setting


@dataclass
class SagConfig:
    """Self-consistent action generation (arXiv 2505.17612, section 4.2)."""

    n: int = setting(1, ge=1)  # 1: off, greedy or sampled once
    temperature: float = setting(0.4, ge=0)
    top_p: float = setting(0.8, gt=0, le=1)


@dataclass
class AgentConfig:
    protocol: str | None = setting(None, plugin="protocol")  # how turns are read and answered; null: by the mode
    environment: str | None = setting(None, plugin="environment")  # where actions are taken; null: by the mode
    environment_settings: dict[str, Any] = field(default_factory=dict)  # keyword arguments of the environment's class
    program: str | None = setting(None, plugin="program")  # a function that runs the episode; null: the loop of steps
    prompt: str | None = "teacher"  # teacher, student, a version (teacher_v1), or an .md file; null: the protocol's own
    max_steps: int = setting(5, ge=1)
    max_tokens: int = setting(1024, ge=1)  # new tokens a step
    temperature: float = setting(0.0, ge=0)
    top_p: float = setting(1.0, gt=0, le=1)
    observation_chars: int = setting(4_000, ge=100)
    token_budget: int | None = setting(None, ge=1)  # completion tokens an episode
    time_budget_s: float = setting(1_800.0, gt=0)
    first_thought_prefix: bool = False
    first_thought_tokens: int | None = setting(None, ge=1)  # the prefix is cut at its last sentence within so many
    logprobs: bool = False  # keep the log-probability of each sampled token, where the engine tells it
    prompt_token_ids: bool = False  # keep each step's prompt as token ids too, where the engine tells them
    sag: SagConfig = section(SagConfig)

    def problems(self):
        yield from prompt_problems("prompt", self.prompt)
        if self.first_thought_prefix and self.protocol not in (None, "thought_code"):
            yield "first_thought_prefix", True, f"false with protocol={self.protocol}: only thought_code has one"
        yield from protocol_problems("prompt", self.prompt, self.protocol)
