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
from agentdistill.grading.own import rule
from agentdistill.grading.requests import GradeRequest, Ruling
from agentdistill.grading.text import MAX_ANSWER_CHARS, find_answer
from agentdistill.types import Grade, Kind, Question

#: Name and version of what decides; trajectories record it. A change that can change a verdict raises the number.
MATH_GRADER = "math-2"
FACTUAL_GRADER = "factual-2"

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
        [ruling] = self.rule_many([request])
        if ruling.grade is None:
            raise GradingError(f"{ruling.reason}; the answer stays ungraded")
        return ruling.grade

    def grade_many(self, requests: Sequence[GradeRequest]) -> list[Grade | None]:
        """The grades in order; None where the judge, or a grader of one's own, failed. Raises as `rule_many`."""
        return [ruling.grade for ruling in self.rule_many(requests)]

    async def grade_many_async(self, requests: Sequence[GradeRequest]) -> list[Grade | None]:
        """As `grade_many`, for a running event loop, which goes on meanwhile."""
        return [ruling.grade for ruling in await self.rule_many_async(requests)]

    def rule_many(self, requests: Sequence[GradeRequest]) -> list[Ruling]:
        """The grades in order, each with the reason where there is none.

        Blocks; for a judge or a grader of one's own it runs an event loop. Raises DataError for a request without gold,
        ConfigError where there is no grader of a request's kind, GradingError where workers cannot be kept alive.
        """
        if self.judge is not None or any(request.is_own for request in requests):
            return asyncio.run(self.rule_many_async(requests))
        return [Ruling(grade) for grade in self._grade_texts(requests)]

    async def rule_many_async(self, requests: Sequence[GradeRequest]) -> list[Ruling]:
        """As `rule_many`, for a running event loop, which goes on meanwhile."""
        own = [index for index, request in enumerate(requests) if request.is_own]
        others = [index for index, request in enumerate(requests) if not request.is_own]
        rulings = dict(zip(others, await self._rule_known([requests[index] for index in others]), strict=True))
        rulings |= dict(zip(own, await asyncio.gather(*(rule(requests[index]) for index in own)), strict=True))
        self.counts.graded += len(own)
        return [rulings[index] for index in range(len(requests))]

    async def _rule_known(self, requests: Sequence[GradeRequest]) -> list[Ruling]:
        """On mathematics and facts."""
        at_once = self._grade_at_once(requests)
        if at_once is None:
            at_once = await asyncio.to_thread(self._grade_texts, requests)
        rulings = [Ruling(grade) for grade in at_once]
        if self.judge is None:
            return rulings
        asked = [index for index, request in enumerate(requests) if request.needs_judge]
        verdicts = await self.judge.judge_many([requests[index] for index in asked])
        for index, verdict in zip(asked, verdicts, strict=True):
            if verdict is None:
                rulings[index] = Ruling(None, f"the judge gave no verdict: {self.judge.reason(requests[index])}")
            else:
                rulings[index] = Ruling(Grade(float(verdict), verdict, self.judge.name))
        return rulings

    def close(self) -> None:
        self._math.close()

    def __enter__(self) -> Grader:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _grade_texts(self, requests: Sequence[GradeRequest]) -> list[Grade]:
        for request in requests:
            request.check()
        verdicts = self._math_verdicts([request for request in requests if request.kind == Kind.MATH])
        self.counts.graded += len(requests)
        return [
            _math_grade(verdicts[_comparison_key(request)]) if request.kind == Kind.MATH else _factual_grade(request)
            for request in requests
        ]

    def _grade_at_once(self, requests: Sequence[GradeRequest]) -> list[Grade] | None:
        """The grades of a few short answers that need no algebra: a thread would cost more. None for others."""
        if len(requests) > _FEW or any(len(request.prediction or "") > _SHORT_CHARS for request in requests):
            return None
        grades = []
        for request in requests:
            request.check()
            if request.kind != Kind.MATH:
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


def grade(kind: str, gold: Sequence[str], prediction: str | None, question: str = "") -> Grade:
    """The grade of one answer: by value for mathematics, by exact match and F1 for facts, else by the grader named.

    Raises DataError where there is no gold answer, GradingError where a grader gave no grade.
    """
    if isinstance(gold, str):
        raise DataError(f"the gold answers are the text {gold[:80]!r}, expected a sequence of texts")
    return shared_grader().grade(GradeRequest(kind, tuple(gold), prediction, question))


async def grade_mathematics(question: Question, answer: str | None) -> Grade | None:
    """The grader of mathematics by its name, for a grader that leaves some questions to it."""
    return await _grade_as(Kind.MATH, question, answer)


async def grade_facts(question: Question, answer: str | None) -> Grade | None:
    """The grader of facts by its name: exact match and F1."""
    return await _grade_as(Kind.FACTUAL, question, answer)


async def _grade_as(kind: Kind, question: Question, answer: str | None) -> Grade | None:
    [grade] = await shared_grader().grade_many_async([GradeRequest(kind, question.answers, answer, question.text)])
    return grade
