"""Settings of the agent: how it uses an engine."""

from dataclasses import dataclass

from agentdistill.config.settings import section, setting


@dataclass
class SagConfig:
    """Self-consistent action generation (arXiv 2505.17612, section 4.2)."""

    n: int = setting(1, ge=1)  # 1: off, greedy or sampled once
    temperature: float = setting(0.4, ge=0)
    top_p: float = setting(0.8, gt=0, le=1)


@dataclass
class AgentConfig:
    prompt: str = setting(
        "teacher", choices=("teacher", "student", "teacher_code", "student_code")
    )  # long with worked examples, or short; the code variants know no search, for runs without a retriever
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
