"""The benchmark grid: models x modes x seeds on the same questions, with intervals and paired tests."""

from agentdistill.evaluate.job import CellRun, TrainedStudent, cell_name, run_cells, summarize_cells
from agentdistill.evaluate.stored import cell_to_json
from agentdistill.evaluate.summary import CellSummary, summarize

__all__ = [
    "CellRun",
    "CellSummary",
    "TrainedStudent",
    "cell_name",
    "cell_to_json",
    "run_cells",
    "summarize",
    "summarize_cells",
]
