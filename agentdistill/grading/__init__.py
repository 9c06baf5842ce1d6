"""Is an answer right: mathematics by value, facts by exact match and F1 or a model as judge, else one's own grader."""

from agentdistill.grading.grader import GradeCounts, Grader, grade
from agentdistill.grading.judge import Judge, JudgeCounts, JudgeSettings, judge_name
from agentdistill.grading.record import graded
from agentdistill.grading.requests import GradeRequest, Ruling

__all__ = [
    "GradeCounts",
    "GradeRequest",
    "Grader",
    "Judge",
    "JudgeCounts",
    "JudgeSettings",
    "Ruling",
    "grade",
    "graded",
    "judge_name",
]
