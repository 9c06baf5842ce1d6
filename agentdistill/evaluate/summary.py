"""The figures of one evaluation cell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from agentdistill.evaluate.episodes import EpisodeFacts
from agentdistill.evaluate.statistics import Estimate, Spread, accuracy, average_over_tasks, over_seeds, question_scores
from agentdistill.evaluate.votes import count_votes
from agentdistill.types import StopReason, Trajectory


@dataclass(frozen=True, slots=True)
class JudgeAgreement:
    """How often a judge's verdict is that of exact match, in episodes."""

    judged: int
    only_judge: int  # right for the judge, not by exact match
    only_exact_match: int  # right by exact match, not for the judge

    @property
    def agreement(self) -> float:
        """Share of verdicts in which both agree, in [0, 1]."""
        return 1.0 - (self.only_judge + self.only_exact_match) / self.judged


@dataclass(frozen=True, slots=True)
class CellSummary:
    """One model in one mode, over all its tasks.

    Means are over the episodes that the system did not fail. Where several episodes vote on a question's answer they
    count as one, with the sums of what they took.
    """

    accuracy: Estimate | None  # over all questions; None where none was graded
    by_task: dict[str, Estimate]  # tasks with at least one graded question, sorted
    average: Estimate | None  # the unweighted average over tasks
    seeds: Spread | None  # of the average, over seeds; None where there is one seed
    scores: dict[str, dict[str, float]]  # task -> question id -> share correct over samples and seeds
    num_questions: int  # graded at least once
    num_episodes: int  # failed ones included
    num_correct: int  # episodes
    num_ungraded: int  # finished, but the grader could not decide or did not run; not counted as wrong
    num_failed: int  # the system failed, not the model; not counted as wrong
    num_lost: int  # episodes that the system failed, those within a vote too: to be run again
    voters: float  # episodes that vote on one answer; 1 without a vote
    steps: float
    prompt_tokens: float
    completion_tokens: float
    tool_calls: float
    invalid_actions: float
    execution_errors: float
    invalid_action_share: float  # of all steps
    execution_error_share: float  # of all steps
    stop_reasons: dict[StopReason, int]  # episodes, failed ones included; most frequent first
    seconds_per_correct: float | None  # episode seconds; None where nothing is correct
    tokens_per_correct: float | None  # completion tokens
    judge: JudgeAgreement | None = None  # None where no judge decided


def summarize(episodes: Iterable[Trajectory | EpisodeFacts]) -> CellSummary:
    """The figures of one evaluation cell; all zero or None where there is no episode."""
    single = [item if isinstance(item, EpisodeFacts) else EpisodeFacts.of(item) for item in episodes]
    everything = count_votes(single)
    finished = [item for item in everything if not item.stop_reason.is_system]
    graded = [item for item in finished if item.correct is not None]
    num_correct = sum(item.correct is True for item in graded)
    scores = _scores_by_task(graded)
    by_task = {task: accuracy(values) for task, values in scores.items()}
    every_score = {f"{task}\0{key}": value for task, values in scores.items() for key, value in values.items()}
    num_steps = sum(item.num_steps for item in finished)
    tokens = sum(item.num_completion_tokens for item in finished)
    invalid = sum(item.num_invalid_actions for item in finished)
    raised = sum(item.num_execution_errors for item in finished)
    return CellSummary(
        accuracy=accuracy(every_score) if every_score else None,
        by_task=by_task,
        average=average_over_tasks(list(by_task.values())) if by_task else None,
        seeds=_spread_over_seeds(graded),
        scores=scores,
        num_questions=len(every_score),
        num_episodes=len(everything),
        num_correct=num_correct,
        num_ungraded=len(finished) - len(graded),
        num_failed=len(everything) - len(finished),
        num_lost=sum(item.stop_reason.is_system for item in single),
        voters=_per(sum(item.num_episodes for item in finished), len(finished)) or 1.0,
        steps=_per(num_steps, len(finished)),
        prompt_tokens=_per(sum(item.num_prompt_tokens for item in finished), len(finished)),
        completion_tokens=_per(tokens, len(finished)),
        tool_calls=_per(sum(item.num_tool_calls for item in finished), len(finished)),
        invalid_actions=_per(invalid, len(finished)),
        execution_errors=_per(raised, len(finished)),
        invalid_action_share=_per(invalid, num_steps),
        execution_error_share=_per(raised, num_steps),
        stop_reasons=dict(Counter(item.stop_reason for item in everything).most_common()),
        seconds_per_correct=sum(item.duration_s for item in finished) / num_correct if num_correct else None,
        tokens_per_correct=tokens / num_correct if num_correct else None,
        judge=_judge(single),
    )


def _judge(episodes: Sequence[EpisodeFacts]) -> JudgeAgreement | None:
    judged = [item for item in episodes if item.exact is not None]
    if not judged:
        return None
    only_judge = sum(bool(item.correct) and not item.exact for item in judged)
    return JudgeAgreement(len(judged), only_judge, sum(bool(item.exact) and not item.correct for item in judged))


def _scores_by_task(graded: Iterable[EpisodeFacts]) -> dict[str, dict[str, float]]:
    pairs: dict[str, list[tuple[str, bool]]] = {}
    for item in graded:
        pairs.setdefault(item.task, []).append((item.question_id, bool(item.correct)))
    return {task: question_scores(pairs[task]) for task in sorted(pairs)}


def _spread_over_seeds(graded: Sequence[EpisodeFacts]) -> Spread | None:
    seeds = sorted({item.seed for item in graded if item.seed is not None})
    if len(seeds) < 2:
        return None
    averages = []
    for seed in seeds:
        by_task = _scores_by_task(item for item in graded if item.seed == seed)
        averages.append(fmean(fmean(values.values()) for values in by_task.values()))
    return over_seeds(averages)


def _per(total: float, count: int) -> float:
    return total / count if count else 0.0
