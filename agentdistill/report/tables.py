"""The report's tables as plain data, once: the page, Markdown and LaTeX write the same figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agentdistill.errors import DataError
from agentdistill.evaluate.statistics import (
    Estimate,
    Paired,
    Spread,
    compare,
    compare_average,
    exact_share,
    unpaired_difference,
)
from agentdistill.report.cells import Cell
from agentdistill.report.folder import RunData
from agentdistill.report.paper import Paper, PaperRow, paper, task_order, task_title

DASH = "–"
_RESULTS_NOTE = (
    "Accuracy in %, with its 95% interval: Clopper and Pearson's exact one where each question was answered once, else "
    "Korn and Graubard's over questions; the average weighs tasks alike and puts their intervals together."
)
_DIFFERENCES_NOTE = (
    "Percentage points on the same questions, with Newcombe's 95% interval for paired shares and a two-sided p-value: "
    "McNemar's exact test where each question was answered once, else the sign-flip test over questions. "
    "p-values are not corrected for the number of comparisons."
)
_BEHAVIOUR_NOTE = (
    "Means are over the episodes that the system did not fail. Seconds are those of the episodes, many of which "
    "run at once: a price to compare, not the time of the run. Where several episodes vote on an answer they count as "
    "one, with the sums of what they took."
)
_JUDGE_NOTE = (
    "A language model decides factual answers by their meaning; exact match asks for the same words. Verdicts are "
    "counted in episodes, those that vote one by one. Answers on which the judge failed are not graded and not here."
)
_PAPER_NOTE = (
    "Each cell stands above the row of the paper whose method, then size, is nearest. "
    "The paper gives no intervals: the difference's 95% interval is Newcombe's, from the number of questions."
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One cell of a table."""

    main: str = DASH
    sub: str = ""  # smaller, below or behind
    mark: str = ""  # "best", "better", "worse", "muted" or nothing


@dataclass(frozen=True, slots=True)
class Row:
    header: str
    sub: str
    entries: tuple[Entry, ...]
    mark: str = ""  # "paper", "difference", or nothing


@dataclass(frozen=True, slots=True)
class Table:
    name: str
    title: str
    stub: str  # head of the first column
    columns: tuple[tuple[str, str], ...]  # head, smaller text below it
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()


def all_tables(runs: Sequence[RunData]) -> list[Table]:
    """The tables of the report, in the page's order; a table without rows is left out."""
    cells = [cell for run in runs for cell in run.cells]
    everything = [cell for run in runs for cell in run.everything]
    tables = [results(cells), paired_differences(cells), behaviour(everything), judged(everything), beside_paper(cells)]
    return [table for table in tables if table.rows]


def results(cells: Sequence[Cell]) -> Table:
    """Accuracy of each cell on each task with its 95% interval: the layout of the paper's table."""
    tasks = _tasks(cells)
    scored = [cell for cell in cells if cell.summary.by_task]
    columns = [[cell.summary.by_task.get(task) for cell in scored] for task in tasks]
    if len(tasks) > 1:
        columns.append([cell.summary.average for cell in scored])
    best = [max((item.value for item in column if item), default=-1.0) for column in columns]
    rows = []
    for number, cell in enumerate(scored):
        entries = tuple(
            _accuracy(column[number], len(scored) > 1 and column[number] is not None and _value(column[number]) == top)
            for column, top in zip(columns, best, strict=True)
        )
        rows.append(Row(cell.label, _describe(cell), entries))
    heads = [(task_title(task), _counts(scored, task)) for task in tasks]
    if len(tasks) > 1:
        heads.append(("Average", f"over {len(tasks)} tasks"))
    return Table("results", "Results", "Model, method", tuple(heads), tuple(rows), (_RESULTS_NOTE,))


def paired_differences(cells: Sequence[Cell]) -> Table:
    """Each cell against the first one, on the same questions, with a paired test."""
    tasks = _tasks(cells)
    scored = [cell for cell in cells if cell.summary.by_task]
    heads = [(task_title(task), "") for task in tasks] + ([("Average", "")] if len(tasks) > 1 else [])
    rows: list[Row] = []
    refused: list[str] = []
    for cell in scored[1:]:
        rows.append(
            Row(f"{cell.label} − {scored[0].label}", "", _against(scored[0], cell, tasks, refused), "difference")
        )
    notes = (_DIFFERENCES_NOTE, *dict.fromkeys(refused))
    return Table("differences", "Differences", "", tuple(heads), tuple(rows), notes)


def behaviour(cells: Sequence[Cell]) -> Table:
    """What each cell's episodes took: steps, tokens, tool calls, errors, and the price of a correct answer."""
    heads = [
        ("Episodes", "correct"),
        ("Steps", "mean"),
        ("Tokens", "written, mean"),
        ("Tool calls", "mean"),
        ("Invalid actions", "of all steps"),
        ("Execution errors", "of all steps"),
        ("Tokens", "a correct answer"),
        ("Seconds", "a correct answer"),
        ("Not counted", "failed, ungraded"),
    ]
    with_seeds = any(cell.summary.seeds for cell in cells)
    rows = []
    for cell in cells:
        item = cell.summary
        entries = [
            Entry(f"{item.num_episodes:,}", f"{item.num_correct:,}"),
            Entry(f"{item.steps:.2f}"),
            _tokens(item.completion_tokens),
            Entry(f"{item.tool_calls:.2f}"),
            Entry(f"{100 * item.invalid_action_share:.1f}%", f"{item.invalid_actions:.2f} an episode"),
            Entry(f"{100 * item.execution_error_share:.1f}%", f"{item.execution_errors:.2f} an episode"),
            _tokens(item.tokens_per_correct),
            Entry(DASH if item.seconds_per_correct is None else f"{item.seconds_per_correct:,.1f}"),
            Entry(f"{item.num_failed:,}", f"{item.num_ungraded:,}"),
            *([_over_seeds(item.seeds)] if with_seeds else []),
        ]
        rows.append(
            Row(cell.label, "on the training questions" if cell.is_teacher else _describe(cell), tuple(entries))
        )
    if with_seeds:
        heads.append(("Over seeds", "mean ± sd"))
    return Table("behaviour", "What it took", "", tuple(heads), tuple(rows), (_BEHAVIOUR_NOTE,))


def judged(cells: Sequence[Cell]) -> Table:
    """How often the judge of factual answers says what exact match says."""
    heads = (
        ("Judged", "answers"),
        ("Agreement", "with exact match"),
        ("Right for the judge only", ""),
        ("Right by exact match only", ""),
        ("Not graded", ""),
    )
    rows = []
    for cell in cells:
        counts = cell.summary.judge
        if counts is None:
            continue
        rest = (counts.only_judge, counts.only_exact_match, cell.summary.num_ungraded)
        share = Entry(f"{100 * counts.agreement:.1f}%")
        entries = (Entry(f"{counts.judged:,}"), share, *(Entry(f"{count:,}") for count in rest))
        rows.append(Row(cell.label, "on the training questions" if cell.is_teacher else _describe(cell), entries))
    return Table("judged", "The judge and exact match", "", heads, tuple(rows), (_JUDGE_NOTE,))


def _tokens(count: float | None) -> Entry:
    """Nothing where there is no count: a scripted expert and some endpoints tell no tokens."""
    return Entry(f"{count:,.0f}") if count else Entry()


def _over_seeds(spread: Spread | None) -> Entry:
    if spread is None:
        return Entry()
    return Entry(f"{100 * spread.mean:.1f} ± {100 * (spread.sd or 0):.1f}", f"{spread.n} seeds")


def beside_paper(cells: Sequence[Cell]) -> Table:
    """Each cell, the paper's nearest row, and the difference, on the tasks that stand in both."""
    table = paper()
    pairs = {task: found for task in _tasks(cells) if (found := table.task(task))}
    columns = sorted(pairs.items(), key=lambda item: table.tasks.index(item[1]))
    rows: list[Row] = []
    for cell in cells:
        nearest = table.nearest(cell)
        if nearest is None or not any(task in cell.summary.by_task for task in pairs):
            continue
        ours = [cell.summary.by_task.get(task) for task, _ in columns]
        theirs = [
            exact_share(round(nearest.accuracy[column.name] * column.questions), column.questions)
            for _, column in columns
        ]
        shown = [Entry(f"{100 * nearest.accuracy[column.name]:.1f}") for _, column in columns]
        rows.append(Row(cell.label, _describe(cell), tuple(_accuracy(item) for item in ours)))
        rows.append(Row(nearest.label, "paper", tuple(shown), "paper"))
        apart = tuple(_apart(mine, other) for mine, other in zip(ours, theirs, strict=True))
        rows.append(Row("difference", "", apart, "difference"))
    heads = tuple((column.title, f"{column.questions} in the paper") for _, column in columns)
    note = f"Paper: {table.source}. {_PAPER_NOTE}"
    return Table("paper", "Beside the paper", "Model, method", heads, tuple(rows), (note,))


def whole_paper() -> Table:
    """The paper's table as it stands."""
    table: Paper = paper()
    heads = tuple((task.title, str(task.questions)) for task in table.tasks)

    def entries(row: PaperRow) -> tuple[Entry, ...]:
        return (
            *(Entry(f"{100 * row.accuracy[task.name]:.1f}") for task in table.tasks),
            Entry(f"{100 * row.average:.2f}"),
        )

    rows = tuple(Row(row.label, "", entries(row), "paper") for row in table.rows)
    return Table("whole_paper", "The paper's table", "Model, method", (*heads, ("Average", "")), rows, (table.source,))


def _tasks(cells: Sequence[Cell]) -> list[str]:
    return task_order(task for cell in cells for task in cell.summary.by_task)


def _counts(cells: Sequence[Cell], task: str) -> str:
    counts = sorted({estimate.n for cell in cells if (estimate := cell.summary.by_task.get(task))})
    return f"{counts[0]:,} questions" if len(counts) == 1 else f"{counts[0]:,} to {counts[-1]:,} questions"


def _describe(cell: Cell) -> str:
    return f"{cell.model}, {cell.method}"


def _value(estimate: Estimate | None) -> float:
    return -1.0 if estimate is None else estimate.value


def _accuracy(estimate: Estimate | None, best: bool = False) -> Entry:
    if estimate is None:
        return Entry()
    interval = f"{100 * estimate.low:.1f} to {100 * estimate.high:.1f}"
    return Entry(f"{100 * estimate.value:.1f}", interval, "best" if best and estimate.value > 0 else "")


def _against(base: Cell, cell: Cell, tasks: Sequence[str], refused: list[str]) -> tuple[Entry, ...]:
    """The differences on each task and on average; why one is not given is added to `refused`."""
    names = (base.label, cell.label)
    first, second = base.summary.scores, cell.summary.scores
    entries = []
    for task in tasks:
        if task not in first or task not in second:
            entries.append(Entry())
            continue
        try:
            entries.append(_compared(compare(first[task], second[task], names)))
        except DataError as error:
            refused.append(f"Not compared on {task}: {error}.")
            entries.append(Entry("not compared", mark="muted"))
    if len(tasks) > 1:
        try:
            entries.append(_compared(compare_average(first, second, names)))
        except DataError as error:
            refused.append(f"Averages not compared: {error}.")
            entries.append(Entry("not compared", mark="muted"))
    return tuple(entries)


def _compared(found: Paired) -> Entry:
    sub = f"{signed(found.low)} to {signed(found.high)}, {p_text(found.p_value)}"
    mark = "" if found.p_value >= 0.05 else "better" if found.difference > 0 else "worse"
    return Entry(signed(found.difference), sub, mark)


def _apart(ours: Estimate | None, theirs: Estimate) -> Entry:
    if ours is None:
        return Entry()
    found = unpaired_difference(theirs, ours)
    mark = "better" if found.low > 0 else "worse" if found.high < 0 else ""
    return Entry(signed(found.value), f"{signed(found.low)} to {signed(found.high)}", mark)


def signed(share: float) -> str:
    """A share as percentage points with its sign."""
    text = f"{100 * share:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text.replace("-", "−")


def p_text(p_value: float) -> str:
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}"
