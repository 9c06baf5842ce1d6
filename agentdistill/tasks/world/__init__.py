"""The built-in task: questions over real facts about countries and cities that need two searches and arithmetic."""

from agentdistill.tasks.world.asking import questions
from agentdistill.tasks.world.passages import CorpusRow, corpus

__all__ = ["CorpusRow", "corpus", "questions"]
