"""The question sets that are known by name: the paper's eight benchmarks and three training sets (arXiv 2505.17612)."""

from __future__ import annotations

from dataclasses import dataclass

from agentdistill import plugins
from agentdistill.errors import DataError
from agentdistill.types import Kind

BUILT_IN = "world"
FILE = "file"


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A published set: one JSON file of `{"metadata": ..., "examples": [{"id", "question", "answer", ...}]}`."""

    name: str
    title: str
    file: str  # the file's name without date and suffix
    kind: Kind
    split: str  # what the paper used it for: "train" or "test"
    num_questions: int  # with a gold answer
    num_without_answer: int = 0  # published with null or nothing for an answer; left out
    aliases: tuple[str, ...] = ()


BENCHMARKS = {
    benchmark.name: benchmark
    for benchmark in (
        Benchmark("hotpotqa", "HotpotQA", "hotpotqa_500", Kind.FACTUAL, "test", 500, aliases=("hotpot",)),
        Benchmark("math500", "MATH", "math_500", Kind.MATH, "test", 500, aliases=("math", "math_500")),
        Benchmark("musique", "MuSiQue", "musique_500", Kind.FACTUAL, "test", 500),
        Benchmark("bamboogle", "Bamboogle", "bamboogle_125", Kind.FACTUAL, "test", 125),
        Benchmark(
            "2wiki", "2Wiki", "2wikimultihopqa_500", Kind.FACTUAL, "test", 500, aliases=("2wikimultihopqa", "wiki2")
        ),
        Benchmark("gsm_hard", "GSM-Hard", "gsm_hard_500", Kind.MATH, "test", 500, aliases=("gsmhard", "gsm-hard")),
        Benchmark("aime", "AIME", "aime_90", Kind.MATH, "test", 90),
        Benchmark("olymmath", "OlymMATH", "olymath_200", Kind.MATH, "test", 200, aliases=("olymath",)),
        Benchmark("hotpotqa_hard", "HotpotQA hard, training", "hotpotqa_1000", Kind.FACTUAL, "train", 1000),
        Benchmark("math_hard", "MATH hard, training", "math_1000", Kind.MATH, "train", 998, 2),
        Benchmark("math_medium", "MATH medium, training", "math_medium_1000", Kind.MATH, "train", 998, 2),
    )
}

_NAMES = {alias: name for name, entry in BENCHMARKS.items() for alias in (name, *entry.aliases)}


def task_names() -> tuple[str, ...]:
    """Every name that `TaskConfig.task` accepts without a package of somebody's own, without the aliases."""
    return (BUILT_IN, FILE, *BENCHMARKS)


def is_own(name: str) -> bool:
    """Whether the name is that of a task which somebody's own package brings; names of ours cannot be taken."""
    ours = name in (BUILT_IN, FILE) or name.strip().lower() in _NAMES
    return not ours and plugins.is_known("task", name)


def find_benchmark(name: str) -> Benchmark:
    """The benchmark of that name or alias. Raises DataError, with the nearest name where one is near."""
    key = name.strip().lower()
    if key in _NAMES:
        return BENCHMARKS[_NAMES[key]]
    expected = plugins.three_ways("task", key, task_names(), tuple(_NAMES))
    raise DataError(f"task {name!r}: there is no such task; expected {expected}")
