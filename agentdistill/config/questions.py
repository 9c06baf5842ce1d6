"""Where the questions come from."""

from dataclasses import dataclass
from typing import Any

from agentdistill import plugins
from agentdistill.config.settings import setting


@dataclass
class TaskConfig:
    """One set of questions."""

    task: str = "world"  # the built-in one, a benchmark, or a task of your own; "file" reads `path`
    path: str | None = None  # a JSON, JSON Lines, Parquet or CSV file, a folder of benchmarks, hub:OWNER/NAME[:SPLIT]
    split: str = setting("train", choices=("train", "test"))  # of the built-in task; a benchmark is one split already
    kind: str = "auto"  # how answers are compared: math, factual, or a grader of your own; auto: as task or answers say
    question_column: str = "question"
    answer_column: str = "answer"  # a list in it holds several accepted answers
    id_column: str = "id"  # where no row has it, ids are made from the position
    alias_column: str | None = None  # further accepted answers
    answer_separator: str | None = None  # splits a text answer into several accepted ones
    hub_split: str = "test"  # of a data set on the hub whose path names none
    limit: int | None = setting(None, ge=1)  # keep so many, sampled with `seed`
    seed: int = 0
    settings: dict[str, Any] = setting(factory=dict)  # for a task of your own

    def problems(self):
        if self.task == "file" and not self.path:
            yield "path", repr(self.path), "a question file, for task=file"
        if self.kind != "auto" and not plugins.is_known("grader", self.kind):
            yield "kind", self.kind, plugins.three_ways("grader", self.kind)
        if self.answer_separator == "":
            yield "answer_separator", "''", "null or at least one character"


@dataclass
class QuestionsConfig:
    train: list[TaskConfig] = setting(factory=lambda: [TaskConfig(split="train")])
    test: list[TaskConfig] = setting(factory=lambda: [TaskConfig(split="test", limit=48)])
    check_overlap: bool = True  # look for training questions that stand in a test set, in the same or similar words
    on_overlap: str = setting("refuse", choices=("refuse", "drop"))  # stop, or leave out those training questions
