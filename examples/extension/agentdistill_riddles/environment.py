"""An environment: what an agent's actions are done to. With `copy`, candidates of one step can be tried beside each other."""

import copy

from agentdistill.types import Outcome, Question


class HigherOrLower:
    """Says whether a guess is too high or too low, up to `most` times."""

    def __init__(self, most: int = 10) -> None:
        self.most = most
        self.secret = self.guesses = 0

    async def reset(self, question: Question) -> str:
        """Begin with the question's number; the text stands before the question."""
        self.secret, self.guesses = int(question.answers[0]), 0
        return f"I think of a number. You may guess {self.most} times."

    async def step(self, action: str) -> Outcome:
        """Take one guess."""
        self.guesses += 1
        try:
            guess = int(action)
        except ValueError:
            return Outcome(f"{action!r} is no number.")
        if guess == self.secret:
            return Outcome("Yes.", final_answer=str(guess), is_final=True)
        return Outcome("Too high." if guess > self.secret else "Too low.")

    def copy(self) -> "HigherOrLower":
        """The same game, as far as it has come."""
        return copy.copy(self)

    async def close(self) -> None:
        """Nothing is held."""
