"""How answers are graded: bounds of one comparison, and a language model as judge of facts."""

from dataclasses import dataclass

from agentdistill.config.engine import EngineConfig
from agentdistill.config.settings import section, setting


@dataclass
class JudgeConfig:
    """A language model that decides factual answers, in place of exact match."""

    engine: EngineConfig = section(EngineConfig)
    attempts: int = setting(3, ge=1, binds=False)  # per answer within one run, the first one included
    in_flight: int = setting(32, ge=1, binds=False)  # answers in judgement at once
    max_tokens: int = setting(256, ge=8)  # of a verdict
    retry_temperature: float = setting(0.7, ge=0)  # of the second attempt on: a greedy model writes the same again
    backoff_s: float = setting(1.0, ge=0, binds=False)  # before the second attempt; doubles
    cache: str | None = setting(  # folder of verdicts, which runs may share; null: verdicts/ in the run folder
        None, binds=False
    )
    actors: int = setting(1, ge=1, binds=False)  # engines at once
    cpus_per_actor: float = setting(0.5, ge=0, binds=False)  # an actor mostly waits for its engine
    gpus_per_actor: float | None = setting(  # null: tensor_parallel where there are GPUs, else 0
        None, ge=0, binds=False
    )


@dataclass
class GradingConfig:
    workers: int = setting(  # processes for algebra in each rollout actor, 150 MB each, started when needed
        2, ge=1, binds=False
    )
    limit_s: float = setting(3.0, gt=0)  # processor time of one comparison; the answer is wrong beyond it
    memory_mb: int = setting(1_536, ge=256, binds=False)  # of a comparing process
    judge: JudgeConfig | None = None  # null: exact match decides factual answers
