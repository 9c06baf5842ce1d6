"""Where questions come from: the built-in task, the published benchmarks, and question files."""

from agentdistill.tasks.catalog import BENCHMARKS, Benchmark, find_benchmark, task_names
from agentdistill.tasks.check import check_questions
from agentdistill.tasks.load import load_questions
from agentdistill.tasks.overlap import Overlap, find_overlap, without_overlap

__all__ = [
    "BENCHMARKS",
    "Benchmark",
    "Overlap",
    "check_questions",
    "find_benchmark",
    "find_overlap",
    "load_questions",
    "task_names",
    "without_overlap",
]
