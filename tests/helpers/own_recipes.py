"""Recipes of a user's own, as configs name them: `own_recipes:rounds`."""

from __future__ import annotations

from dataclasses import dataclass

from agentdistill.config.settings import setting
from agentdistill.run import Run


@dataclass(frozen=True)
class RoundsSettings:
    rounds: int = setting(2, ge=1)
    samples: int = 1


def rounds(run: Run, settings: RoundsSettings) -> None:
    """Several students, one after the other."""
    questions = run.questions()
    run.index()
    for number in range(settings.rounds):
        name = f"round{number}"
        taught = run.rollout(questions.train, name=name, samples=settings.samples)
        run.train(run.select(taught, name=name), name=name)


def twice(run: Run) -> None:
    """One name for two students."""
    run.train(run.select())
    run.train(run.select(), epochs=1)


def only_questions(run: Run) -> None:
    """The shortest there is."""
    run.questions()


def untyped(run, settings):
    """Settings that nobody describes."""


NOT_A_RECIPE = 3
