"""The report of one or several run folders, written whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agentdistill import storage
from agentdistill.config.report import ReportConfig
from agentdistill.errors import DataError
from agentdistill.report.export import to_latex, to_markdown
from agentdistill.report.folder import Note, RunData, read_runs
from agentdistill.report.pack import pack
from agentdistill.report.page import render_page
from agentdistill.report.plots import draw_plots
from agentdistill.report.questions import check_same_questions
from agentdistill.report.tables import all_tables


@dataclass(frozen=True, slots=True)
class ReportPaths:
    """What was written, and what could not be shown."""

    page: str
    markdown: str
    latex: str
    plots: tuple[str, ...]  # an SVG and a PNG each
    notes: tuple[Note, ...] = ()  # parts of the run folders that are missing or broken


def build_report(run_folders: Sequence[str], out: str | None = None, config: ReportConfig | None = None) -> ReportPaths:
    """Write `report.html`, `results.md`, `results.tex` and `plots/` into `out`, by default `report/` in the first run.

    What a run folder lacks, or what is broken in it, is named in the page and in the result's `notes`. Raises
    RunFolderError where a folder is none of a run, DataError where several runs were not evaluated on the same
    questions.
    """
    if not run_folders:
        raise DataError("no run folder to report on; expected at least one")
    config = config or ReportConfig()
    runs = read_runs(run_folders)
    check_same_questions(runs)
    title = config.title or " and ".join(run.name for run in runs)
    tables, plots = all_tables(runs), draw_plots(runs)
    page = render_page(title, runs, tables, plots, pack(runs, config.max_trajectories))
    out = out or storage.join(run_folders[0], "report")
    paths = []
    for plot in plots:
        if plot.missing:
            continue
        svg, png = (storage.join(out, "plots", f"{plot.name}.{kind}") for kind in ("svg", "png"))
        storage.write_text(svg, plot.svg)
        storage.write_bytes(png, plot.png)
        paths += [svg, png]
    markdown, latex = storage.join(out, "results.md"), storage.join(out, "results.tex")
    storage.write_text(markdown, to_markdown(title, tables))
    storage.write_text(latex, to_latex(tables))
    # The page comes last: where it stands, everything beside it does.
    place = storage.join(out, "report.html")
    storage.write_text(place, page)
    return ReportPaths(place, markdown, latex, tuple(paths), _notes(runs))


def _notes(runs: Sequence[RunData]) -> tuple[Note, ...]:
    return tuple(note for run in runs for note in run.notes)
