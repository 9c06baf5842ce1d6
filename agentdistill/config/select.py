"""Settings of selection: which trajectories become training data."""

from dataclasses import dataclass, field

from agentdistill import plugins
from agentdistill.config.prompts import prompt_problems
from agentdistill.config.settings import setting


@dataclass
class SelectConfig:
    """The paper's rule, each part a switch."""

    prompt: str | None = "student"  # the examples' system prompt, as in teacher.agent.prompt; null: the protocol's own
    correct: bool = True
    no_parse_error: bool = True
    within_steps: bool = True
    max_per_question: int | None = setting(None, ge=1)
    per_question: str = setting("first", choices=("first", "shortest", "longest"))  # which of a question's go first
    max_chars: int | None = setting(None, ge=1)
    drop_repeated: bool = True
    trim_repeated: bool = False  # cut repeated steps out and keep the trajectory, with drop_repeated: false
    deduplicate: bool = True
    rules: list[str] = field(default_factory=list)  # rules of your own, after those above
    make: str | None = None  # a maker of your own: what becomes of a question's trajectories; null: an example each
    near_duplicates: float | None = setting(None, gt=0, le=1)  # drop what is so similar to one kept of its question

    def problems(self):
        yield from prompt_problems("prompt", self.prompt)
        for name in self.rules:
            if not plugins.is_known("rule", name):
                yield "rules", name, plugins.three_ways("rule", name)
        if self.make is not None and not plugins.is_known("maker", self.make):
            yield "make", self.make, plugins.three_ways("maker", self.make)
        if self.trim_repeated and self.drop_repeated:
            yield "trim_repeated", True, "false, or drop_repeated: false, as a dropped trajectory has nothing to trim"
