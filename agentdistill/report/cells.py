"""An evaluation cell, or the teacher's rollouts, as tables, plots and the page see it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from agentdistill.agent import VOTE_PREFIX
from agentdistill.evaluate.summary import CellSummary
from agentdistill.report.facts import Fact

_SIZE = re.compile(r"(?<![\d.])(\d+(?:\.\d+)?)\s*([bm])(?![a-z0-9])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Variant:
    """What a cell's config says, apart from N of self-consistent action generation: cells that differ in N alone."""

    model: str  # engine and whether it is the trained student, as JSON
    agent: str  # the agent's settings without those of SAG, as JSON
    sag: str  # SAG's settings without N, as JSON
    n: int


@dataclass(frozen=True, slots=True)
class Cell:
    """One model in one mode, with its trajectories; or the teacher's rollouts."""

    run: str
    name: str
    label: str  # what tables and plots call it
    model: str
    facts: list[Fact]
    summary: CellSummary
    trained: bool  # the student that this run trained
    has_prefix: bool  # first-thought prefixes: in its own episodes, or in those that it was trained on
    is_teacher: bool = False  # rollouts on the training questions
    variant: Variant | None = None  # None: the config does not tell

    @property
    def mode(self) -> str:
        """As trajectories record it: "vote_agent" where agent episodes vote."""
        return self.facts[0].mode if self.facts else ""

    @property
    def votes(self) -> bool:
        """Whether several episodes vote on the answer of each question."""
        return self.mode.startswith(VOTE_PREFIX)

    @property
    def num_candidates(self) -> int:
        """N of self-consistent action generation; 1 without it."""
        return max((fact.num_candidates for fact in self.facts), default=1)

    @property
    def method(self) -> str:
        """In the paper's words: "agent distill + FTP + SAG"."""
        mode = self.mode.removeprefix(VOTE_PREFIX)
        words = {"cot": "CoT", "cot_rag": "CoT", "agent": "agent"}.get(mode, mode)
        kind = "teacher" if self.is_teacher else "distill" if self.trained else "prompt"
        extras = [
            " + RAG" if mode == "cot_rag" else "",
            " + FTP" if self.has_prefix else "",
            f" + SAG (N={self.num_candidates})" if self.num_candidates > 1 else "",
            f" + vote (N={self.summary.voters:.2g})" if self.votes else "",
        ]
        return f"{words} {kind}{''.join(extras)}"

    @property
    def size(self) -> str:
        """The model's size as its name tells it, such as "0.5B" or "135M"; empty where it does not."""
        found = _SIZE.search(self.model)
        return f"{found[1]}{found[2].upper()}" if found else ""
