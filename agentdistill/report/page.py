"""The page: one HTML file with its style, scripts, plots and trajectories inside; it asks nothing of a network."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

import agentdistill
from agentdistill.evaluate.statistics import compare_average
from agentdistill.report.cells import Cell
from agentdistill.report.folder import RunData
from agentdistill.report.pack import Packed
from agentdistill.report.plots import Plot
from agentdistill.report.tables import Table, p_text, signed, whole_paper

_SCRIPTS = ("dom.js", "store.js", "detail.js", "browser.js", "main.js")


def render_page(
    title: str, runs: Sequence[RunData], tables: Sequence[Table], plots: Sequence[Plot], packed: Packed
) -> str:
    """The whole page as text."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_asset), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    return environment.get_template("page.html.j2").render(
        title=title,
        version=agentdistill.__version__,
        style=_asset("page.css"),
        script="\n".join(_asset(name) for name in _SCRIPTS),
        lede=[sentence for run in runs for sentence in _lede(run, several=len(runs) > 1)],
        facts=_facts(runs),
        scripted=[run.name for run in runs if run.has_scripted_teacher],
        notes=[note for run in runs for note in run.notes],
        tables={table.name: table for table in tables},
        whole_paper=whole_paper(),
        plots=plots,
        configs=[
            (run.name, yaml.safe_dump(run.config, sort_keys=False, allow_unicode=True)) for run in runs if run.config
        ],
        packed=packed,
        several=len(runs) > 1,
    )


@cache
def _asset(name: str) -> str:
    return files("agentdistill.report").joinpath("assets", name).read_text(encoding="utf-8")


def _lede(run: RunData, several: bool) -> list[str]:
    """What came out, in one sentence a run."""
    trained = next((cell for cell in run.cells if cell.trained and cell.summary.average), None)
    if trained is None:
        return []
    after = trained.summary.average
    assert after is not None
    tasks = len(trained.summary.by_task)
    questions = f"{trained.summary.num_questions:,} held-out questions" + (f" of {tasks} tasks" if tasks > 1 else "")
    sentence = f"{run.name}: the trained" if several else "The trained"
    sentence += f" student answers {100 * after.value:.1f}% of {questions}"
    before = next((cell for cell in run.cells if not cell.trained and _comparable(cell, trained)), None)
    if before is None or before.summary.average is None:
        return [f"{sentence}."]
    found = compare_average(before.summary.scores, trained.summary.scores)
    share = f"{100 * before.summary.average.value:.1f}% ({before.name})"
    if not found.difference:
        return [f"{sentence}, the same as {share}."]
    points = f"{signed(found.difference)} points, 95% interval {signed(found.low)} to {signed(found.high)}"
    way = "up" if found.difference > 0 else "down"
    return [f"{sentence}, {way} from {share}: {points}, {p_text(found.p_value)}."]


def _comparable(before: Cell, after: Cell) -> bool:
    first, second = before.summary.scores, after.summary.scores
    return before.mode == after.mode and {t: set(q) for t, q in first.items()} == {t: set(q) for t, q in second.items()}


def _facts(runs: Sequence[RunData]) -> list[tuple[str, list[str]]]:
    rows: list[tuple[str, list[str]]] = []

    def add(name: str, values: Sequence[Any]) -> None:
        shown = ["" if value is None else str(value) for value in values]
        if any(shown):
            rows.append((name, [value or "not known" for value in shown]))

    add("Run folder", [run.folder for run in runs])
    add("Student", [run.setting("train.model") for run in runs])
    add("Teacher", [_teacher(run) for run in runs])
    add("Teacher's trajectories", [f"{len(run.teacher.facts):,}" if run.teacher else None for run in runs])
    add("Kept for training", [f"{run.funnel.kept:,} of {run.funnel.total:,}" if run.funnel else None for run in runs])
    add("Training", [_training(run) for run in runs])
    return rows


def _teacher(run: RunData) -> str | None:
    if run.has_scripted_teacher:
        return f"scripted expert ({run.setting('teacher.engine.expert', 'unnamed')})"
    model = run.setting("teacher.engine.model")
    return None if model is None else str(model)


def _training(run: RunData) -> str | None:
    if not run.metrics:
        return None
    last = run.metrics[-1]
    parts = [f"{last['step']:,.0f} steps"]
    if "loss" in last:
        parts.append(f"last loss {last['loss']:.3f}")
    speeds = sorted(row["tokens_per_s"] for row in run.metrics if "tokens_per_s" in row)
    if speeds:
        parts.append(f"{speeds[len(speeds) // 2]:,.0f} tokens/s (median)")
    return ", ".join(parts)
