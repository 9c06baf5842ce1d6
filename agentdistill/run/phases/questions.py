"""questions/: what there is to learn from, and what is held out."""

from __future__ import annotations

from typing import Any

from agentdistill import storage
from agentdistill.console import console
from agentdistill.run.handles import Questions
from agentdistill.run.phases.base import Ask, Call, Phase
from agentdistill.run.planning.needs import count_questions
from agentdistill.schema import questions_to_table


def do(call: Call) -> dict[str, Any]:
    """Load the questions, check that none stands in both sets, and write them."""
    from agentdistill.tasks import check_questions, load_questions, without_overlap

    config, output = call.config.questions, call.output
    assert isinstance(output, Questions)
    train = [question for task in config.train for question in load_questions(task)]
    test = [question for task in config.test for question in load_questions(task)]
    if config.train:  # none where there is nothing but an evaluation
        check_questions(train, "questions.train")
    check_questions(test, "questions.test")
    if config.check_overlap:
        kept = without_overlap(train, test, config.on_overlap)
        if len(kept) < len(train):
            console.print(f"  left out {len(train) - len(kept)} training questions that stand in the test set")
        train = kept
    storage.write_table(output.train.file, questions_to_table(train))
    storage.write_table(output.test.file, questions_to_table(test))
    return {"train": len(train), "test": len(test)}


def brief(summary: dict[str, Any]) -> str:
    return f"{summary['train']} to learn from, {summary['test']} held out"


def ask(call: Call) -> Ask:
    config = call.config.questions
    train, test = (
        (", ".join(task.task for task in tasks) or "nothing")
        + (f" ({count:,})" if (count := count_questions(tasks)) else "")
        for tasks in (config.train, config.test)
    )
    return Ask(call.name, f"train on {train}; test on {test}", "this process", 1, 0)


QUESTIONS = Phase("questions", "Questions", ("questions",), do, brief, ask)
