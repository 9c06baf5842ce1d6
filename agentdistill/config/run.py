"""The config of one run: everything that a distillation needs, stage by stage."""

from dataclasses import dataclass, field
from typing import Any

from agentdistill import plugins
from agentdistill.config.actor import ActorConfig
from agentdistill.config.cluster import ClusterConfig
from agentdistill.config.evaluate import EvaluateConfig
from agentdistill.config.grading import GradingConfig
from agentdistill.config.prompts import protocol_problems
from agentdistill.config.questions import QuestionsConfig
from agentdistill.config.report import ReportConfig
from agentdistill.config.retriever import RetrieverConfig
from agentdistill.config.rollout import RolloutConfig
from agentdistill.config.sandbox import SandboxConfig
from agentdistill.config.select import SelectConfig
from agentdistill.config.settings import section, setting
from agentdistill.config.train import TrainConfig


@dataclass
class RunConfig:
    name: str = "run"
    folder: str = setting("runs/${name}", binds=False)  # a path or an fsspec URL that every node can reach
    seed: int = setting(0, ge=0)
    recipe: str = (
        "paper"  # what `distill` does: a recipe's name (`agentdistill recipe list`), or package.module:function
    )
    recipe_settings: dict[str, Any] = field(default_factory=dict)  # of the recipe, where it has any
    questions: QuestionsConfig = section(QuestionsConfig)
    teacher: ActorConfig = section(ActorConfig)
    sandbox: SandboxConfig = section(SandboxConfig)
    retriever: RetrieverConfig = section(RetrieverConfig)
    tools: list[str] = field(default_factory=lambda: ["search"])  # what code may call: the retriever, functions
    rollout: RolloutConfig = section(RolloutConfig)
    grading: GradingConfig = section(GradingConfig)
    select: SelectConfig = section(SelectConfig)
    train: TrainConfig = section(TrainConfig)
    evaluate: EvaluateConfig = section(EvaluateConfig)
    report: ReportConfig = section(ReportConfig)
    cluster: ClusterConfig = section(ClusterConfig, binds=False)

    def problems(self):
        for name in self.tools:
            if name != "search" and not plugins.is_known("tool", name):
                yield "tools", name, plugins.three_ways("tool", name, ("search",))
        if self.select.make is None:
            yield from protocol_problems("select.prompt", self.select.prompt, self.teacher.agent.protocol)
        if not self.retriever.enabled:
            if self.teacher.mode == "cot_rag":
                yield "teacher.mode", self.teacher.mode, "cot or agent: retriever.enabled is false"
            for index, cell in enumerate(self.evaluate.cells):
                if cell.episode_mode == "cot_rag":
                    yield f"evaluate.cells[{index}].mode", cell.episode_mode, "cot or agent: retriever.enabled is false"
        elif (tool_s := self.sandbox.limits.tool_s) < self.retriever.deadline_s + 1:
            # Else a slow retriever would be an error of the code that asked it, and the model's mistake.
            least = self.retriever.deadline_s + 1
            yield "sandbox.limits.tool_s", tool_s, f"at least {least:g}, a second above retriever.deadline_s"
        for index, cell in enumerate(self.evaluate.cells):
            prompt = (cell.agent or self.evaluate.agent).prompt
            if cell.trained and cell.episode_mode == "agent" and prompt != self.select.prompt:
                key = f"evaluate.cells[{index}].agent.prompt" if cell.agent else "evaluate.agent.prompt"
                yield key, prompt, f"{self.select.prompt}, the prompt that select.prompt trains the student with"
