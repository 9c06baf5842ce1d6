"""The report's plots, drawn once and saved as SVG for the page and for papers, and as PNG.

The SVG in the page takes its colours from the page, so that it follows the light and the dark scheme.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from statistics import fmean
from typing import Any

from agentdistill.evaluate.statistics import Estimate
from agentdistill.report.cells import Cell
from agentdistill.report.folder import RunData
from agentdistill.report.paper import task_order, task_title
from agentdistill.report.series import sag_series
from agentdistill.types import StopReason

#: Light-scheme colours, far apart also for readers who see few of them; the page maps each to a CSS variable.
SERIES = ("#2f6f9f", "#c4622d", "#3d8361", "#8a5a9e", "#b08a1e", "#a8455b", "#4d7d85", "#6b6b6b")
_INK, _MUTED, _RULE, _PAPER = "#1f2328", "#5c6370", "#d5d0c8", "#fefefd"
_CSS = {_INK: "--ink", _MUTED: "--muted", _RULE: "--rule", _PAPER: "--paper"} | {
    color: f"--s{number}" for number, color in enumerate(SERIES, 1)
}


_MARKERS = "osD^"  # changes where the colours start again
_LABEL_CHARS = 32


@dataclass(frozen=True, slots=True)
class Plot:
    """One plot, or why it is missing."""

    name: str
    title: str
    description: str  # what it shows, for readers who do not see it
    svg: str = ""  # as saved
    inline_svg: str = ""  # as embedded in the page
    png: bytes = b""
    missing: str = ""  # why there is none


def draw_plots(runs: Sequence[RunData]) -> list[Plot]:
    """All plots of the report, in the page's order."""
    cells = [cell for run in runs for cell in run.cells]
    return [
        _draw("accuracy_by_task", "Accuracy by task", _accuracy_by_task(cells)),
        _draw("accuracy_tokens", "Accuracy against tokens", _accuracy_against_tokens(cells)),
        _draw("training_loss", "Training loss", _training_loss(runs)),
        _draw("selection_funnel", "Selection", _selection_funnel(runs)),
        _draw("stop_reasons", "Why episodes ended", _stop_reasons(runs)),
        _draw("sag", "Accuracy against N", _sag(cells)),
    ]


@dataclass(frozen=True, slots=True)
class _Drawing:
    draw: Callable[[Any], None] | None  # onto a matplotlib figure
    description: str = ""
    missing: str = ""
    size: tuple[float, float] = (6.4, 3.6)  # inches


def _accuracy_by_task(cells: Sequence[Cell]) -> _Drawing:
    scored = [cell for cell in cells if cell.summary.by_task]
    tasks = task_order(task for cell in scored for task in cell.summary.by_task)
    if not tasks:
        return _Drawing(None, missing="no graded evaluation trajectory")

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        for number, cell in enumerate(scored):
            offset = (number - (len(scored) - 1) / 2) * 0.7 / max(1, len(scored))
            present = [(tasks.index(task), estimate) for task, estimate in cell.summary.by_task.items()]
            _error_bars(
                axes, [row + offset for row, _ in present], [item for _, item in present], number, _short(cell.label)
            )
        axes.set_yticks(range(len(tasks)), [_short(task_title(task)) for task in tasks])
        axes.set_ylim(len(tasks) - 0.4, -0.6)
        _share_axis(axes.xaxis, axes.set_xlim)
        axes.set_xlabel("accuracy, % (bars: 95% interval)")
        axes.grid(axis="x")
        _legend(axes, len(scored))

    lines = [
        f"{cell.label} on {task}: {_share(estimate)}"
        for cell in scored
        for task, estimate in cell.summary.by_task.items()
    ]
    height = 1.5 + len(tasks) * max(0.45, 0.2 * len(scored)) + 0.22 * _legend_rows(len(scored))
    return _Drawing(draw, "; ".join(lines), size=(6.4, height))


def _accuracy_against_tokens(cells: Sequence[Cell]) -> _Drawing:
    scored = [cell for cell in cells if cell.summary.average is not None]
    if not scored:
        return _Drawing(None, missing="no graded evaluation trajectory")

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        for number, cell in enumerate(scored):
            average = cell.summary.average
            assert average is not None
            color, x = SERIES[number % len(SERIES)], cell.summary.completion_tokens
            low, high = 100 * (average.value - average.low), 100 * (average.high - average.value)
            axes.errorbar([x], [100 * average.value], [[low], [high]], fmt="o", color=color, markersize=6, capsize=0)
            axes.annotate(
                _short(cell.label), (x, 100 * average.value), (8, 5), textcoords="offset points", color=_INK, fontsize=9
            )
        _share_axis(axes.yaxis, axes.set_ylim)
        axes.margins(x=0.25)
        axes.set_xlim(left=0)
        axes.set_xlabel("completion tokens an episode, mean")
        axes.set_ylabel("accuracy, %")
        axes.grid(axis="y")

    lines = [
        f"{cell.label}: {_share(cell.summary.average)} at {cell.summary.completion_tokens:.0f} tokens"
        for cell in scored
    ]
    return _Drawing(draw, "; ".join(lines))


def _training_loss(runs: Sequence[RunData]) -> _Drawing:
    logged = [(run, [row for row in run.metrics if "loss" in row]) for run in runs]
    logged = [(run, rows) for run, rows in logged if rows]
    if not logged:
        return _Drawing(None, missing="metrics.jsonl holds no loss")

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        for number, (run, rows) in enumerate(logged):
            color = SERIES[number % len(SERIES)]
            steps, losses = [row["step"] for row in rows], [row["loss"] for row in rows]
            smooth = len(rows) > 30
            axes.plot(steps, losses, color=color, linewidth=0.8 if smooth else 1.6, alpha=0.35 if smooth else 1)
            if smooth:
                axes.plot(steps, _smoothed(losses), color=color, linewidth=1.8, label=run.name)
            else:
                axes.lines[-1].set_label(run.name)
            held_out = [(row["step"], row["held_out_loss"]) for row in run.metrics if "held_out_loss" in row]
            if held_out:
                axes.plot(*zip(*held_out, strict=True), "o--", color=color, markersize=4, label=f"{run.name}, held out")
        axes.set_xlabel("optimizer step")
        axes.set_ylabel("loss a trained token, nats")
        axes.set_ylim(bottom=0)
        axes.grid(axis="y")
        if len(axes.get_legend_handles_labels()[0]) > 1:
            _legend(axes, len(logged), inside=True)

    lines = [
        f"{run.name}: " + ", ".join(f"{row['loss']:.3f} at step {row['step']:.0f}" for row in (rows[0], rows[-1]))
        for run, rows in logged
    ]
    return _Drawing(draw, "; ".join(lines))


def _selection_funnel(runs: Sequence[RunData]) -> _Drawing:
    bars: list[tuple[str, int, str]] = []
    for run in runs:
        if run.funnel is None:
            continue
        prefix = f"{run.name}: " if len(runs) > 1 else ""
        bars.append((f"{prefix}teacher's trajectories", run.funnel.total, SERIES[0]))
        dropped = sorted(run.funnel.dropped.items(), key=lambda item: -item[1])
        bars += [(f"dropped: {reason.replace('_', ' ')}", count, SERIES[1]) for reason, count in dropped if count]
        bars.append((f"{prefix}kept for training", run.funnel.kept, SERIES[2]))
    if not bars:
        return _Drawing(None, missing="select.json is not there")

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        counts = [count for _, count, _ in bars]
        axes.barh(range(len(bars)), counts, color=[color for _, _, color in bars], height=0.62)
        for row, count in enumerate(counts):
            axes.annotate(f"{count:,}", (count, row), (5, 0), textcoords="offset points", va="center", color=_INK)
        axes.set_yticks(range(len(bars)), [label for label, _, _ in bars])
        axes.invert_yaxis()
        axes.set_xlim(0, max(1, *counts) * 1.15)
        axes.set_xlabel("trajectories")
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)

    return _Drawing(
        draw, "; ".join(f"{label}: {count}" for label, count, _ in bars), size=(6.4, 1.1 + 0.36 * len(bars))
    )


def _stop_reasons(runs: Sequence[RunData]) -> _Drawing:
    cells = [cell for run in runs for cell in (*([run.teacher] if run.teacher else []), *run.cells)]
    if not cells:
        return _Drawing(None, missing="no trajectory")
    present = [reason for reason in StopReason if any(reason in cell.summary.stop_reasons for cell in cells)]

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        left = [0.0] * len(cells)
        for number, reason in enumerate(present):
            shares = [100 * cell.summary.stop_reasons.get(reason, 0) / cell.summary.num_episodes for cell in cells]
            color = SERIES[number % len(SERIES)]
            axes.barh(range(len(cells)), shares, left=left, color=color, height=0.62, label=reason.replace("_", " "))
            left = [start + share for start, share in zip(left, shares, strict=True)]
        axes.set_yticks(range(len(cells)), [_short(cell.label) for cell in cells])
        axes.invert_yaxis()
        axes.set_xlim(0, 100)
        axes.set_xlabel("episodes, %")
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)
        _legend(axes, len(present), alone=True)

    lines = [
        f"{cell.label}: " + ", ".join(f"{reason} {count}" for reason, count in cell.summary.stop_reasons.items())
        for cell in cells
    ]
    height = 1.1 + 0.4 * len(cells) + 0.24 * max(1, _legend_rows(len(present)))
    return _Drawing(draw, "; ".join(lines), size=(6.4, height))


def _sag(cells: Sequence[Cell]) -> _Drawing:
    series = sag_series(cells)
    if not series:
        return _Drawing(
            None, missing="no model was evaluated with more than one N of self-consistent action generation"
        )
    ticks = sorted({n for points in series.values() for n, _ in points})

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        for number, (name, points) in enumerate(series.items()):
            values = [100 * estimate.value for _, estimate in points]
            errors = [
                [100 * (estimate.value - estimate.low) for _, estimate in points],
                [100 * (estimate.high - estimate.value) for _, estimate in points],
            ]
            axes.errorbar(
                [n for n, _ in points], values, errors, fmt="o-", color=SERIES[number % len(SERIES)], label=name
            )
        axes.set_xscale("log", base=2)
        axes.set_xticks(ticks, [str(n) for n in ticks])
        axes.minorticks_off()
        _share_axis(axes.yaxis, axes.set_ylim)
        axes.set_xlabel("N, actions sampled a step")
        axes.set_ylabel("accuracy, %")
        axes.grid(axis="y")
        _legend(axes, len(series), inside=True)

    lines = [f"{name}: " + ", ".join(f"N={n} {_share(item)}" for n, item in points) for name, points in series.items()]
    return _Drawing(draw, "; ".join(lines))


def _error_bars(axes: Any, rows: list[float], estimates: Sequence[Estimate], number: int, label: str) -> None:
    values = [100 * estimate.value for estimate in estimates]
    errors = [
        [100 * max(0.0, estimate.value - estimate.low) for estimate in estimates],
        [100 * max(0.0, estimate.high - estimate.value) for estimate in estimates],
    ]
    marker = _MARKERS[number // len(SERIES) % len(_MARKERS)]
    axes.errorbar(values, rows, xerr=errors, fmt=marker, color=SERIES[number % len(SERIES)], markersize=6, label=label)


def _share_axis(axis: Any, set_limits: Callable[..., Any]) -> None:
    set_limits(-2, 102)
    axis.set_ticks([0, 20, 40, 60, 80, 100])


def _legend(axes: Any, entries: int, inside: bool = False, alone: bool = False) -> None:
    if entries == 1 and not inside and not alone:
        return
    if inside:
        axes.legend(loc="best", frameon=False)
    else:
        axes.figure.legend(loc="outside upper left", ncols=4, frameon=False, handlelength=1.2, columnspacing=1.4)


def _legend_rows(entries: int) -> int:
    return -(-entries // 4) if entries > 1 else 0


def _short(label: str) -> str:
    return label if len(label) <= _LABEL_CHARS else f"{label[: _LABEL_CHARS - 1]}…"


def _smoothed(values: Sequence[float]) -> list[float]:
    """Centred moving average over a twentieth of the values, so that the line neither lags nor leads."""
    half = max(2, len(values) // 40)
    return [fmean(values[max(0, i - half) : i + half + 1]) for i in range(len(values))]


def _share(estimate: Estimate | None) -> str:
    if estimate is None:
        return "not graded"
    return f"{100 * estimate.value:.1f}% ({100 * estimate.low:.1f} to {100 * estimate.high:.1f})"


def _draw(name: str, title: str, drawing: _Drawing) -> Plot:
    if drawing.draw is None:
        return Plot(name, title, "", missing=drawing.missing)
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with mpl.rc_context(_style(name)):
        figure = Figure(figsize=drawing.size, layout="constrained")
        FigureCanvasAgg(figure)
        drawing.draw(figure)
        svg, png = io.StringIO(), io.BytesIO()
        figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
        figure.savefig(png, format="png", dpi=180)
    text = svg.getvalue()
    return Plot(
        name, title, drawing.description, text, _inline(text, name, f"{title}. {drawing.description}"), png.getvalue()
    )


def _style(name: str) -> dict[str, Any]:
    return {
        "svg.fonttype": "none",  # text stays text: found, read aloud, and in the reader's font
        "svg.hashsalt": name,  # the same ids again, and other ids than the next plot's in the same page
        "font.family": "sans-serif",
        "font.size": 10,
        "text.color": _INK,
        "axes.labelcolor": _MUTED,
        "axes.edgecolor": _RULE,
        "axes.facecolor": "none",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "figure.facecolor": _PAPER,
        "grid.color": _RULE,
        "grid.linewidth": 0.8,
        "xtick.color": _RULE,
        "ytick.color": _RULE,
        "xtick.labelcolor": _INK,
        "ytick.labelcolor": _INK,
    }


def _inline(svg: str, name: str, label: str) -> str:
    """The SVG element alone, coloured by the page's variables, its ids its own, named for screen readers."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    for color, variable in _CSS.items():
        body = body.replace(color, f"var({variable})")
    body = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font-size: \1", body)
    used = set(re.findall(r"url\(#([^)]+)\)|href=\"#([^\"]+)\"", body))
    wanted = {first or second for first, second in used}
    body = re.sub(r' id="([^"]*)"', lambda match: f' id="{name}-{match[1]}"' if match[1] in wanted else "", body)
    body = re.sub(r'(url\(|href=")#', rf"\1#{name}-", body)
    return body.replace("<svg ", f'<svg role="img" aria-label="{escape(label, quote=True)}" ', 1)
