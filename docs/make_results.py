"""Writes the tables of docs/results.md from the episodes in docs/recorded.

python docs/make_results.py            # rewrite the page
python docs/make_results.py --check    # exit status 1 where it is out of date
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from agentdistill import storage
from agentdistill.evaluate.statistics import Estimate, Paired, compare, compare_average
from agentdistill.evaluate.summary import CellSummary, summarize
from agentdistill.schema import TRAJECTORIES, trajectories_from_table
from agentdistill.types import Trajectory

PAGE = Path(__file__).with_name("results.md")
RECORDED = Path(__file__).with_name("recorded")
TASKS = {"math500": "MATH500", "gsm_hard": "GSM-Hard"}

MAIN, PLAIN, COT = "coder_1.5b_to_0.5b", "coder_1.5b_to_0.5b_no_ftp", "coder_1.5b_to_0.5b_cot"

#: What a row is called, and where its episodes lie: run, cell.
CELLS: dict[str, tuple[str, str]] = {
    "student, CoT prompt": (MAIN, "cot_prompt"),
    "student, agent prompt": (MAIN, "agent_prompt"),
    "CoT distilled": (COT, "cot_distilled"),
    "agent distilled": (PLAIN, "agent_distilled_no_ftp"),
    "agent distilled + FTP": (MAIN, "agent_distilled"),
    "agent distilled + FTP + SAG (N=8)": (MAIN, "agent_distilled_sag"),
    "agent distilled + FTP, turns of 768 tokens": (MAIN, "agent_distilled_768"),
}

#: Which cells are compared: after, before.
PAIRS = [
    ("agent distilled + FTP", "student, agent prompt"),
    ("agent distilled + FTP + SAG (N=8)", "student, agent prompt"),
    ("agent distilled", "student, agent prompt"),
    ("agent distilled + FTP", "student, CoT prompt"),
    ("agent distilled + FTP", "CoT distilled"),
    ("agent distilled + FTP", "agent distilled"),
    ("agent distilled + FTP + SAG (N=8)", "agent distilled + FTP"),
    ("agent distilled + FTP, turns of 768 tokens", "student, agent prompt"),
    ("agent distilled + FTP, turns of 768 tokens", "agent distilled + FTP"),
    ("CoT distilled", "student, CoT prompt"),
]

TEACHERS = {"agent, FTP": MAIN, "agent": PLAIN, "CoT": COT}


@dataclass(frozen=True, slots=True)
class Example:
    """One episode that the page shows in full."""

    label: str  # a row of CELLS
    question_id: str
    title: str
    asked: str  # in our words: the question itself is other people's
    remark: str


EXAMPLES = [
    Example(
        "agent distilled + FTP",
        "gsm_hard-1220",
        "Learned: the numbers go into code",
        "Two people spit seeds, 40 of them ten feet and 4,896,852 of them twelve feet; the average total is asked.",
        "The form of the teacher without its long prompt: a plan, named quantities, one `print`, then the number that "
        "was printed.",
    ),
    Example(
        "agent distilled + FTP",
        "math500-228",
        "Learned: to go on after mistakes",
        "The volume of the points whose squared distances to three perpendicular planes add up to 36.",
        "An invalid action, then a name that is not defined, then both mended. The observation overrules the volume "
        "that the thought had given: 216 pi there, 288 pi from the code.",
    ),
    Example(
        "agent distilled + FTP + SAG (N=8)",
        "gsm_hard-864",
        "What SAG mends",
        "A house is seven times as high as somebody of 60 inches, its first floor three times; the rest is asked.",
        "Without SAG the program of this question failed; here one of eight that ran was taken. The thought is still "
        "muddled: the vote is over what the code gives.",
    ),
    Example(
        "agent distilled + FTP",
        "math500-13",
        "Not learned: to change the code, not only the thought",
        "The height of a cylinder of volume 45 pi and radius 3.",
        "It names the mistake rightly and writes the same program again, four times: greedy decoding in a context that "
        "repeats itself. The teacher's kept trajectories hardly show it otherwise: failed code is mended in 4 of 138.",
    ),
    Example(
        "agent distilled + FTP",
        "gsm_hard-24",
        "Not learned: to read carefully",
        "Two fewer than five more than half of 973,054.",
        "The form is perfect and a step is missing: the program stops at the five more. Code makes arithmetic certain, "
        "not the reading of the question.",
    ),
]


@dataclass(frozen=True, slots=True)
class Recorded:
    """Everything that docs/recorded holds; a cell that was not run is not in it."""

    cells: dict[str, CellSummary]
    unanswered: dict[str, int]  # episodes of a cell that ended without an answer
    teachers: dict[str, CellSummary]


def read() -> Recorded:
    episodes = {label: _episodes(run, cell) for label, (run, cell) in CELLS.items() if _path(run, cell).exists()}
    unanswered = {label: sum(row.answer is None for row in rows) for label, rows in episodes.items()}
    teachers = {label: _episodes(run, "teacher") for label, run in TEACHERS.items() if _path(run, "teacher").exists()}
    summaries = [{label: summarize(rows) for label, rows in group.items()} for group in (episodes, teachers)]
    return Recorded(summaries[0], unanswered, summaries[1])


def page(current: str) -> str:
    """The page with each table between its two marks written anew. Raises ValueError where a mark is missing."""
    recorded = read()
    for name, table in TABLES.items():
        begin, end = f"<!-- {name}: python docs/make_results.py -->", f"<!-- end of {name} -->"
        before, found, rest = current.partition(begin)
        _, closed, after = rest.partition(end)
        if not found or not closed:
            raise ValueError(f"{PAGE.name}: expected the marks {begin!r} and {end!r}")
        current = f"{before}{begin}\n{table(recorded)}\n{end}{after}"
    return current


def accuracy_table(recorded: Recorded) -> str:
    def row(label: str, cell: CellSummary) -> list[str]:
        return [label, *(_interval(cell.by_task.get(task)) for task in TASKS), _interval(cell.average)]

    rows = [row(label, cell) for label, cell in recorded.cells.items()]
    return _markdown(["", *TASKS.values(), "average"], rows)


def difference_table(recorded: Recorded) -> str:
    rows = []
    for after, before in PAIRS:
        if after in recorded.cells and before in recorded.cells:
            first, second = (recorded.cells[name].scores for name in (before, after))
            parts = [compare(first[task], second[task]) for task in TASKS]
            rows.append([f"{after} − {before}", *map(_difference, [*parts, compare_average(first, second)])])
    return _markdown(["", *TASKS.values(), "average"], rows)


def behaviour_table(recorded: Recorded) -> str:
    heads = ["", "steps", "tokens written", "invalid actions", "failed code", "tokens a correct answer", "no answer"]
    rows = [_behaviour(label, cell, recorded.unanswered[label]) for label, cell in recorded.cells.items()]
    return _markdown(heads, rows)


def teacher_table(recorded: Recorded) -> str:
    heads = ["", "episodes", "correct", "questions with a correct one", "steps", "tokens written", "invalid actions"]
    rows = []
    for label, cell in recorded.teachers.items():
        solved = sum(score > 0 for scores in cell.scores.values() for score in scores.values())
        share = f"{cell.num_correct} ({cell.num_correct / cell.num_episodes:.0%})"
        counts = [str(cell.num_episodes), share, f"{solved} of {cell.num_questions}", f"{cell.steps:.2f}"]
        rows.append([label, *counts, f"{cell.completion_tokens:,.0f}", f"{cell.invalid_action_share:.1%}"])
    return _markdown(heads, rows)


def trajectories(recorded: Recorded) -> str:
    """The chosen episodes, turn by turn."""
    return "\n" + "\n".join(map(_example, EXAMPLES)) if EXAMPLES else "\nNot run yet.\n"


def _example(example: Example) -> str:
    [row] = [row for row in _episodes(*CELLS[example.label]) if row.question_id == example.question_id]
    verdict = "right" if row.grade is not None and row.grade.correct else "wrong"
    turns = [f"{step.text.strip()}\n\nObservation:\n{step.observation.strip() or '(the end)'}" for step in row.steps]
    fence = "~~~~"
    head = f"**{example.title}** ({example.label}, `{row.question_id}`, {verdict}). {example.asked}"
    return "\n".join([head, "", fence, "\n\n".join(turns), fence, "", example.remark, ""])


TABLES: dict[str, Callable[[Recorded], str]] = {
    "accuracy": accuracy_table,
    "differences": difference_table,
    "behaviour": behaviour_table,
    "teachers": teacher_table,
    "trajectories": trajectories,
}


def _path(run: str, cell: str) -> Path:
    return RECORDED / run / f"{cell}.parquet"


def _episodes(run: str, cell: str) -> list[Trajectory]:
    return list(trajectories_from_table(storage.read_table(str(_path(run, cell)), TRAJECTORIES)))


def _behaviour(label: str, cell: CellSummary, unanswered: int) -> list[str]:
    price = "–" if cell.tokens_per_correct is None else f"{cell.tokens_per_correct:,.0f}"
    shares = [f"{cell.invalid_action_share:.1%}", f"{cell.execution_error_share:.1%}"]
    return [label, f"{cell.steps:.2f}", f"{cell.completion_tokens:,.0f}", *shares, price, str(unanswered)]


def _interval(estimate: Estimate | None) -> str:
    if estimate is None:
        return "–"
    return f"{100 * estimate.value:.1f} ({100 * estimate.low:.1f} to {100 * estimate.high:.1f})"


def _difference(paired: Paired) -> str:
    value, low, high = 100 * paired.difference, 100 * paired.low, 100 * paired.high
    return f"{value:+.1f} ({low:+.1f} to {high:+.1f}), p = {paired.p_value:.2g}"


def _markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return "\nNot run yet.\n"
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n" + "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def main() -> int:
    current = PAGE.read_text()
    new = page(current)
    if "--check" in sys.argv[1:]:
        return int(new != current)
    PAGE.write_text(new)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
