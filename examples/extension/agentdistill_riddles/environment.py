"""An environment: where actions are taken. With `copy`, several actions can be tried beside each other."""

import copy

from agentdistill.types import CodeError, Outcome, Question


class HigherOrLower:
    """Says whether a guess is too high or too low, `most` times."""

    def __init__(self, most: int = 10) -> None:
        self.most = most
        self.secret = self.guesses = 0

    async def reset(self, question: Question) -> str:
        """Begin with the question's number; the text stands in front of the question."""
        self.secret, self.guesses = int(question.answers[0]), 0
        return f"I think of a number between 0 and 99. You may guess {self.most} times."

    async def step(self, action: str) -> Outcome:
        """Take one guess; the right one and the last one end the episode."""
        try:
            guess = int(action)
        except ValueError:
            return Outcome("", error=CodeError("NoNumber", action))
        self.guesses += 1
        if guess == self.secret:
            return Outcome("Yes.", final_answer=action, is_final=True)
        return Outcome("Too high." if guess > self.secret else "Too low.", is_final=self.guesses >= self.most)

    async def copy(self) -> "HigherOrLower":
        """The same game, as far as it has come."""
        return copy.copy(self)

    async def close(self) -> None:
        """Nothing is held."""
