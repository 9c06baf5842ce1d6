"""A rule, which drops trajectories, and a maker, which makes training examples of those that are left."""

from agentdistill.select import to_example
from agentdistill.types import TrainingExample, Trajectory
from agentdistill_riddles.protocol import PROTOCOL


def few_guesses(trajectory: Trajectory) -> str | None:
    """The reason to drop it, under which it is counted, or None."""
    return "more than five guesses" if len(trajectory.steps) > 5 else None


def shortest_alone(trajectories: list[Trajectory]) -> list[TrainingExample]:
    """Of the trajectories of one question the one that guessed least, as an example."""
    shortest = min(trajectories, key=lambda trajectory: len(trajectory.steps))
    return [to_example(shortest, PROTOCOL.prompt)]
