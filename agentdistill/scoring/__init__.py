"""Grades that come after the episodes: a language model as judge. Importing it needs no Ray."""

from agentdistill.scoring.judging import JudgeSummary, judge_rollouts

__all__ = ["JudgeSummary", "judge_rollouts"]
