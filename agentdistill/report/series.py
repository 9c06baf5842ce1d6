"""Cells that differ in one setting alone: the points of one line."""

from __future__ import annotations

from collections.abc import Sequence

from agentdistill.evaluate.statistics import Estimate
from agentdistill.report.cells import Cell, Variant


def sag_series(cells: Sequence[Cell]) -> dict[str, list[tuple[int, Estimate]]]:
    """Accuracy over N of self-consistent action generation: a name -> (N, average accuracy), N rising.

    Cells belong together where the same model acts with the same settings but N. Without SAG (N=1) its settings mean
    nothing, so such a cell belongs to every line of its model. Lines of one N are left out.
    """
    acting = [cell for cell in cells if cell.mode == "agent" and cell.summary.average is not None]
    lines: dict[tuple[str, ...], list[Cell]] = {}
    for cell in acting:
        variant = _variant(cell)
        if variant.n > 1:
            lines.setdefault((cell.run, variant.model, variant.agent, variant.sag), []).append(cell)
    for (run, model, agent, _), members in lines.items():
        members += [
            cell
            for cell in acting
            if (cell.run, *_parts(_variant(cell))) == (run, model, agent) and _variant(cell).n == 1
        ]
    series: dict[str, list[tuple[int, Estimate]]] = {}
    for members in lines.values():
        points = [(_variant(cell).n, cell.summary.average) for cell in members if cell.summary.average is not None]
        if len({n for n, _ in points}) > 1:
            series[_name(members[0], series)] = sorted(points, key=lambda point: point[0])
    return series


def _parts(variant: Variant) -> tuple[str, str]:
    return (variant.model, variant.agent)


def _variant(cell: Cell) -> Variant:
    """What the config says of the cell, else what its trajectories show."""
    return cell.variant or Variant(f"{cell.trained} {cell.model}", "", "", cell.num_candidates)


def _name(cell: Cell, taken: dict[str, list[tuple[int, Estimate]]]) -> str:
    """The model's name; where another line has it, with the name of the line's first cell."""
    name = f"{cell.run}, {'trained' if cell.trained else cell.model}"
    return f"{name} ({cell.name})" if name in taken else name
