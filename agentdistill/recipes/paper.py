"""Distilling LLM Agent into Small Models with Retrieval and Code Tools (arXiv 2505.17612): one teacher, one student."""

from __future__ import annotations

from agentdistill.run import Run


def distill(run: Run) -> None:
    """The teacher acts, what is fit to learn from is selected, the student learns and is evaluated before and after."""
    questions = run.questions()
    run.index()
    taught = run.rollout(questions.train)
    examples = run.select(taught)
    student = run.train(examples)
    run.evaluate(questions.test, student)
    run.report()
