"""A phase: a step of a run with a name, done once and recorded."""

from agentdistill import storage
from agentdistill.run import FunctionPhase, Run


def count(run: Run) -> dict[str, int]:
    """How many trajectories there are; the summary is kept in the run folder."""
    return {"trajectories": sum(map(storage.count_rows, storage.parquet_files(run.folder.trajectories())))}


COUNT = FunctionPhase("count", count)
