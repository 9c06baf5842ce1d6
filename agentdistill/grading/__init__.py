"""Is an answer right: mathematics by value, facts by exact match and F1 or by a language model as judge."""

from agentdistill.grading.grader import GradeCounts, Grader, grade
from agentdistill.grading.judge import Judge, JudgeCounts, JudgeSettings, judge_name
from agentdistill.grading.requests import GradeRequest

__all__ = [
    "GradeCounts",
    "GradeRequest",
    "Grader",
    "Judge",
    "JudgeCounts",
    "JudgeSettings",
    "grade",
    "judge_name",
]
