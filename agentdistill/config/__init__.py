"""The config of a run: dataclasses that OmegaConf checks. Imports no torch, ray or vllm."""

from agentdistill.config.actor import ActorConfig
from agentdistill.config.agent import AgentConfig, SagConfig
from agentdistill.config.cluster import ClusterConfig
from agentdistill.config.engine import EngineConfig
from agentdistill.config.evaluate import EvaluateConfig, EvaluationCell, VoteConfig
from agentdistill.config.grading import GradingConfig, JudgeConfig
from agentdistill.config.load import fill, load, to_yaml
from agentdistill.config.questions import QuestionsConfig, TaskConfig
from agentdistill.config.report import ReportConfig
from agentdistill.config.retriever import EncoderConfig, IndexConfig, RetrieverConfig
from agentdistill.config.rollout import RolloutConfig
from agentdistill.config.run import RunConfig
from agentdistill.config.sandbox import LimitsConfig, SandboxConfig
from agentdistill.config.select import SelectConfig
from agentdistill.config.train import CheckpointConfig, LoraConfig, TrainConfig

__all__ = [
    "ActorConfig",
    "AgentConfig",
    "CheckpointConfig",
    "ClusterConfig",
    "EncoderConfig",
    "EngineConfig",
    "EvaluateConfig",
    "EvaluationCell",
    "GradingConfig",
    "IndexConfig",
    "JudgeConfig",
    "LimitsConfig",
    "LoraConfig",
    "QuestionsConfig",
    "ReportConfig",
    "RetrieverConfig",
    "RolloutConfig",
    "RunConfig",
    "SagConfig",
    "SandboxConfig",
    "SelectConfig",
    "TaskConfig",
    "TrainConfig",
    "VoteConfig",
    "fill",
    "load",
    "to_yaml",
]
