"""What a grader is asked."""

from __future__ import annotations

from dataclasses import dataclass, field

from agentdistill.errors import DataError
from agentdistill.types import Grade, Kind, Question, Trajectory


@dataclass(frozen=True, slots=True)
class GradeRequest:
    """One answer to grade. `prediction` None is an episode without an answer, and wrong."""

    kind: str  # a Kind, or the name of a grader
    gold: tuple[str, ...]  # accepted answers, at least one
    prediction: str | None
    question: str = ""  # only a judge reads it
    asked: Question | None = field(default=None, compare=False)  # all of the question, for a grader of one's own

    @classmethod
    def of(cls, trajectory: Trajectory) -> GradeRequest:
        """The request about a record, which keeps nothing of the question's metadata."""
        gold = tuple(trajectory.gold_answers)
        asked = Question(trajectory.question_id, trajectory.question, gold, trajectory.kind, trajectory.task)
        return cls.for_question(asked, trajectory.answer)

    @classmethod
    def for_question(cls, question: Question, prediction: str | None) -> GradeRequest:
        return cls(question.kind, tuple(question.answers), prediction, question.text, question)

    @property
    def needs_judge(self) -> bool:
        """Whether a judge decides it, where there is one: factual and not empty."""
        return self.kind == Kind.FACTUAL and bool((self.prediction or "").strip())

    @property
    def is_own(self) -> bool:
        """Whether a grader of somebody's own decides it."""
        return self.kind not in tuple(Kind)

    def check(self) -> None:
        """Raise DataError where gold answers are missing or are no text."""
        about = f"question {self.question[:80]!r}" if self.question else "a grade request"
        if isinstance(self.gold, str) or not all(isinstance(answer, str) for answer in self.gold):
            raise DataError(f"{about}: the gold answers are {self.gold!r}, expected a tuple of texts")
        if not any(answer.strip() for answer in self.gold):
            raise DataError(f"{about}: there is no gold answer, expected at least one")
        if self.prediction is not None and not isinstance(self.prediction, str):
            raise DataError(
                f"{about}: the prediction is a {type(self.prediction).__name__}, expected a text or None for no answer"
            )


@dataclass(frozen=True, slots=True)
class Ruling:
    """What came of a request."""

    grade: Grade | None
    reason: str = ""  # why there is no grade
