"""Recipes of a user's own, as configs name them: `own_recipes:rounds`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

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


async def asynchronous(run: Run) -> None:
    """Would do nothing: nobody awaits it."""
    run.questions()


def generating(run: Run) -> Iterator[None]:
    """Would do nothing: nobody asks for its items."""
    yield run.questions()


def keyword_only(run: Run, *, settings: RoundsSettings) -> None:
    """Cannot be called with (run, settings)."""


def checked_run(run: NotThereAtRunTime, settings: RoundsSettings) -> None:  # noqa: F821
    """Its first annotation is known to type checkers alone."""
    for number in range(settings.rounds):
        run.questions(name=f"part{number}")


def checked_settings(run: Run, settings: NotThereAtRunTime) -> None:  # noqa: F821
    """Its settings are known to type checkers alone."""


@dataclass
class Unfillable:
    names: set[str] = field(default_factory=set)


def unfillable(run: Run, settings: Unfillable) -> None:
    """Settings of a type that no YAML file has."""
