"""Grades many answers: mathematics in worker processes, facts here, or by a judge."""

from __future__ import annotations

import asyncio
import atexit
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType

from agentdistill.config import GradingConfig
from agentdistill.errors import DataError, GradingError
from agentdistill.grading.factual import exact_match, f1, factual_answer
from agentdistill.grading.judge import Judge
from agentdistill.grading.mathematics.pool import MathWorkers
from agentdistill.grading.mathematics.process import Comparison, Verdict
from agentdistill.grading.mathematics.quick import quick_verdict
from agentdistill.grading.requests import GradeRequest
from agentdistill.grading.text import MAX_ANSWER_CHARS, find_answer
from agentdistill.types import Grade, Kind

#: Name and version of what decides; trajectories record it. A change that can change a verdict raises the number.
MATH_GRADER = "math-1"
FACTUAL_GRADER = "factual-1"

_FEW, _SHORT_CHARS = 8, 2_000  # answers that are graded where they come, if nothing about them is hard


@dataclass(slots=True)
class GradeCounts:
    """What a grader has met so far."""

    graded: int = 0
    over_limit: int = 0  # comparisons that hit a limit
    errors: int = 0  # comparisons in which the algebra system raised


class Grader:
    """Grades requests; the same requests give the same grades, whatever their order and the number of workers.

    Safe to use from several threads. Close it, or use it as a context manager.
    """

    def __init__(self, config: GradingConfig | None = None, judge: Judge | None = None) -> None:
        config = config or GradingConfig()
        self.counts = GradeCounts()
        self.judge = judge
        self._math = MathWorkers(config.workers, config.limit_s, config.memory_mb)

    def grade(self, request: GradeRequest) -> Grade:
        """The grade of one answer. Raises DataError for a request without gold, GradingError where nothing decided."""
        [grade] = self.grade_many([request])
        if grade is None:
            raise GradingError("the judge gave no verdict; the answer stays ungraded")
        return grade

    def grade_many(self, requests: Sequence[GradeRequest]) -> list[Grade | None]:
        """The grades in order; None where the judge failed. Without a judge none is None.

        Blocks; with a judge it runs an event loop of its own. Raises DataError for a request without gold,
        GradingError where workers cannot be kept alive.
        """
        if self.judge is not None:
            return asyncio.run(self.grade_many_async(requests))
        return list(self._grade_texts(requests))

    async def grade_many_async(self, requests: Sequence[GradeRequest]) -> list[Grade | None]:
        """As `grade_many`, for a running event loop, which goes on meanwhile."""
        at_once = self._grade_at_once(requests)
        if at_once is None:
            at_once = await asyncio.to_thread(self._grade_texts, requests)
        grades: list[Grade | None] = list(at_once)
        if self.judge is None:
            return grades
        asked = [index for index, request in enumerate(requests) if request.needs_judge]
        verdicts = await self.judge.judge_many([requests[index] for index in asked])
        for index, verdict in zip(asked, verdicts, strict=True):
            name = self.judge.name
            grades[index] = None if verdict is None else Grade(float(verdict), verdict, name)
        return grades

    def close(self) -> None:
        self._math.close()

    def __enter__(self) -> Grader:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _grade_texts(self, requests: Sequence[GradeRequest]) -> list[Grade]:
        for request in requests:
            request.check()
        verdicts = self._math_verdicts([request for request in requests if request.kind is Kind.MATH])
        self.counts.graded += len(requests)
        return [
            _math_grade(verdicts[_comparison_key(request)]) if request.kind is Kind.MATH else _factual_grade(request)
            for request in requests
        ]

    def _grade_at_once(self, requests: Sequence[GradeRequest]) -> list[Grade] | None:
        """The grades of a few short answers that need no algebra: a thread would cost more. None for others."""
        if len(requests) > _FEW or any(len(request.prediction or "") > _SHORT_CHARS for request in requests):
            return None
        grades = []
        for request in requests:
            request.check()
            if request.kind is not Kind.MATH:
                grades.append(_factual_grade(request))
            elif (verdict := _plain_verdict(*_comparison_key(request))) is not None:
                grades.append(_math_grade(verdict))
            else:
                return None
        self.counts.graded += len(grades)
        return grades

    def _math_verdicts(self, requests: Sequence[GradeRequest]) -> dict[tuple[tuple[str, ...], str], Verdict]:
        """The verdict of each different comparison."""
        verdicts = {}
        hard: dict[tuple[tuple[str, ...], str], Comparison] = {}
        for request in requests:
            key = _comparison_key(request)
            if key in verdicts or key in hard:
                continue
            verdict = _plain_verdict(*key)
            if verdict is None:
                hard[key] = (list(key[0]), key[1])
            else:
                verdicts[key] = verdict
        found = self._math.compare_many(list(hard.values()))
        self.counts.over_limit += found.count(Verdict.LIMIT)
        self.counts.errors += found.count(Verdict.ERROR)
        return verdicts | dict(zip(hard, found, strict=True))


def _comparison_key(request: GradeRequest) -> tuple[tuple[str, ...], str]:
    prediction = request.prediction or ""
    if len(prediction) > MAX_ANSWER_CHARS:
        prediction = find_answer(prediction)
    return tuple(request.gold), prediction


def _plain_verdict(gold: tuple[str, ...], prediction: str) -> Verdict | None:
    if len(prediction) > MAX_ANSWER_CHARS:
        return Verdict.WRONG
    verdicts = [quick_verdict(answer, prediction) for answer in gold]
    if any(verdicts):
        return Verdict.RIGHT
    return None if None in verdicts else Verdict.WRONG


def _math_grade(verdict: Verdict) -> Grade:
    correct = verdict is Verdict.RIGHT
    note = {Verdict.LIMIT: " (over the limit)", Verdict.ERROR: " (error)"}.get(verdict, "")
    return Grade(float(correct), correct, MATH_GRADER + note)


def _factual_grade(request: GradeRequest) -> Grade:
    prediction = factual_answer(request.prediction or "")
    correct = exact_match(prediction, request.gold)
    return Grade(1.0 if correct else f1(prediction, request.gold), correct, FACTUAL_GRADER)


_shared_lock = threading.Lock()
_shared: Grader | None = None


def shared_grader() -> Grader:
    """The process's own grader without a judge, made on first use and closed at exit."""
    global _shared
    with _shared_lock:
        if _shared is None:
            _shared = Grader(GradingConfig(workers=1))
            atexit.register(_shared.close)
        return _shared


def grade(kind: Kind, gold: Sequence[str], prediction: str | None, question: str = "") -> Grade:
    """The grade of one answer: by value for mathematics, by exact match and F1 for facts.

    Raises DataError where there is no gold answer.
    """
    if isinstance(gold, str):
        raise DataError(f"the gold answers are the text {gold[:80]!r}, expected a sequence of texts")
    return shared_grader().grade(GradeRequest(kind, tuple(gold), prediction, question))
