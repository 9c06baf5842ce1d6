"""Settings of rollout, selection, evaluation, report, and what they ask of the cluster."""

import re
from dataclasses import dataclass, field

from agentdistill.config.actors import AgentConfig, EngineConfig
from agentdistill.config.questions import TaskConfig
from agentdistill.config.settings import section, setting

_NAME = re.compile(r"[\w+-][\w.+-]*")


@dataclass
class RolloutConfig:
    samples: int = setting(1, ge=1)  # trajectories a question
    actors: int = setting(1, ge=1)  # engines; the pool grows to max_actors
    max_actors: int | None = setting(None, ge=1)
    in_flight: int = setting(64, ge=1)  # episodes at once in one actor
    cpus_per_actor: float = setting(0.5, ge=0)  # an actor mostly waits: for its engine, the sandbox, the retriever
    gpus_per_actor: float | None = setting(None, ge=0)  # null: tensor_parallel where there are GPUs, else 0
    max_failed_share: float = setting(0.2, ge=0, le=1)  # more system failures than this stop the run
    min_failures: int = setting(20, ge=1)  # but never before so many
    max_engine_deaths: int = setting(5, ge=0)  # over all actors; more stop the run
    attempts: int = setting(2, ge=1)  # tries within one run of an episode that the system failed
    flush_s: float = setting(0.5, gt=0)  # finished trajectories are on storage after at most so long
    reuse: str | None = None  # the run folder whose finished rollout is copied; null: the teacher of this run acts

    def problems(self):
        if self.max_actors is not None and self.max_actors < self.actors:
            yield "max_actors", self.max_actors, f"at least actors ({self.actors})"


@dataclass
class SelectConfig:
    """The paper's rule, each part a switch."""

    prompt: str = setting("student", choices=("student", "student_code"))  # whose system prompt training examples get
    correct: bool = True
    no_parse_error: bool = True
    within_steps: bool = True
    max_per_question: int | None = setting(None, ge=1)
    per_question: str = setting("first", choices=("first", "shortest", "longest"))  # which of a question's go first
    max_chars: int | None = setting(None, ge=1)
    drop_repeated: bool = True
    trim_repeated: bool = False  # cut repeated steps out and keep the trajectory, with drop_repeated: false
    deduplicate: bool = True
    near_duplicates: float | None = setting(None, gt=0, le=1)  # drop what is so similar to one kept of its question

    def problems(self):
        if self.trim_repeated and self.drop_repeated:
            yield "trim_repeated", True, "false, or drop_repeated: false, as a dropped trajectory has nothing to trim"


@dataclass
class VoteConfig:
    """Whole episodes that vote on the answer (More Agents Is All You Need, arXiv 2402.05120)."""

    n: int = setting(8, ge=2, le=1_000)  # episodes a question; with budget_of, at most so many
    mode: str = setting("agent", choices=("agent", "cot", "cot_rag"))  # of each episode
    temperature: float = setting(0.4, gt=0)
    top_p: float = setting(0.8, gt=0, le=1)
    budget_of: str | None = None  # a cell's name: as many episodes as its tokens pay for, on average


@dataclass
class EvaluationCell:
    """One model in one mode."""

    name: str = "before"
    engine: EngineConfig | None = None  # null: evaluate.engine
    trained: bool = False  # evaluate the student that this run trained
    mode: str = setting("agent", choices=("agent", "cot", "cot_rag", "vote"))
    agent: AgentConfig | None = None  # null: evaluate.agent
    vote: VoteConfig | None = None  # mode=vote: null is as the defaults

    @property
    def episode_mode(self):
        """What one episode is: agent, cot or cot_rag."""
        return (self.vote or VoteConfig()).mode if self.mode == "vote" else self.mode

    def problems(self):
        if not _NAME.fullmatch(self.name):
            yield "name", repr(self.name), "letters, digits and . _ + -, as it names a folder"
        if self.vote is not None and self.mode != "vote":
            yield "vote", "a section", f"null with mode={self.mode}"


@dataclass
class EvaluateConfig:
    engine: EngineConfig = section(EngineConfig)
    agent: AgentConfig = field(default_factory=lambda: AgentConfig(prompt="student"))
    cells: list[EvaluationCell] = field(
        default_factory=lambda: [EvaluationCell("before"), EvaluationCell("after", trained=True)]
    )
    seeds: list[int] = field(default_factory=lambda: [0])

    def problems(self):
        agents = {"agent": self.agent, **{f"cells[{i}].agent": cell.agent for i, cell in enumerate(self.cells)}}
        for key, agent in agents.items():
            if agent is not None and agent.first_thought_prefix:
                yield f"{key}.first_thought_prefix", True, "false: the prefix is the teacher's, students act without it"
        for index, cell in enumerate(self.cells):
            candidates = (cell.agent or self.agent).sag.n
            if cell.episode_mode in ("cot", "cot_rag") and candidates > 1:
                key = f"cells[{index}].agent.sag.n" if cell.agent else "agent.sag.n"
                yield key, candidates, f"1 with mode={cell.episode_mode}: there are no actions to vote on"
        yield from self._grid_problems()

    def _grid_problems(self):
        names = [cell.name for cell in self.cells]
        if not names or len(set(names)) < len(names):
            yield "cells", names, "at least one cell, and each name once"
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            yield "seeds", self.seeds, "at least one seed, and each once"
        singles = [cell.name for cell in self.cells if cell.mode != "vote"]
        for index, cell in enumerate(self.cells):
            budget_of = cell.vote.budget_of if cell.vote else None
            if budget_of is not None and budget_of not in singles:
                expected = f"null or a cell that is no vote ({', '.join(singles) or 'there is none'})"
                yield f"cells[{index}].vote.budget_of", budget_of, expected


@dataclass
class ReportConfig:
    title: str = ""
    max_trajectories: int = setting(20_000, ge=0)


@dataclass
class ClusterConfig:
    address: str | None = None  # null: the running cluster where there is one, else one of our own; "local": our own
    num_cpus: int | None = setting(None, ge=1)
    object_store_mb: int | None = setting(None, ge=80)
    serve_port: int = setting(0, ge=0, le=65_535)  # 0: no HTTP, handles only


__all__ = [
    "ClusterConfig",
    "EvaluateConfig",
    "EvaluationCell",
    "ReportConfig",
    "RolloutConfig",
    "SelectConfig",
    "TaskConfig",
    "VoteConfig",
]
