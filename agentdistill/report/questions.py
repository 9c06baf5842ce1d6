"""Whether runs may be held against each other: only on the same questions."""

from __future__ import annotations

from collections.abc import Sequence

from agentdistill.errors import DataError
from agentdistill.report.folder import RunData


def check_same_questions(runs: Sequence[RunData]) -> None:
    """Raise DataError where two runs were not evaluated on the same questions: their figures do not compare."""
    first = _questions(runs[0])
    for other in runs[1:]:
        second = _questions(other)
        shared = sorted(set(first) & set(second))
        if not shared:
            raise DataError(
                f"{runs[0].folder} and {other.folder} have no task in common ({', '.join(first) or 'none'} against "
                f"{', '.join(second) or 'none'}); expected runs evaluated on the same questions"
            )
        for task in shared:
            if first[task] == second[task]:
                continue
            example = sorted(first[task].items() ^ second[task].items())[0][0]
            raise DataError(
                f"{runs[0].folder} and {other.folder} were evaluated on different questions of {task} "
                f"({len(first[task])} against {len(second[task])}, question {example!r} differs); expected the same "
                "questions, so finish the evaluation or report them one by one"
            )


def _questions(run: RunData) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for cell in run.cells:
        for fact in cell.facts:
            found.setdefault(fact.episode.task, {})[fact.episode.question_id] = fact.question
    return found
