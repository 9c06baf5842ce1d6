"""A recipe: what `agentdistill distill` does, as a story of verbs, with settings of its own."""

from dataclasses import dataclass, replace

from agentdistill.config.settings import setting
from agentdistill.run import Run
from agentdistill_riddles.phase import COUNT


@dataclass
class TwiceSettings:
    """`recipe_settings:` in the config."""

    smoothing: float = setting(0.1, ge=0, le=1)


def twice(run: Run, settings: TwiceSettings) -> None:
    """Two students of one teacher: one learns from all that it did, the other from its short episodes alone."""
    questions = run.questions()
    run.index()
    taught = run.rollout(questions.train)
    run.do(replace(COUNT, inputs={"trajectories": taught}))
    for name, rules in (("all", []), ("short", ["few_guesses"])):
        examples = run.select(taught, name=name, rules=rules)
        student = run.train(
            examples, name=name, objective="smoothed", objective_settings={"smoothing": settings.smoothing}
        )
        run.evaluate(questions.test, student, name=name)
