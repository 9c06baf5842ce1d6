"""Settings of the benchmark grid."""

import re
from dataclasses import dataclass, field

from agentdistill.config.agent import AgentConfig
from agentdistill.config.engine import EngineConfig
from agentdistill.config.settings import section, setting

_NAME = re.compile(r"[\w+-][\w.+-]*")


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
