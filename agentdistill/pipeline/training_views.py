"""`agentdistill train --preview N` and `--estimate`: look before training."""

from __future__ import annotations

from rich.table import Table

from agentdistill import storage
from agentdistill.config import RunConfig
from agentdistill.console import console
from agentdistill.pipeline.folder import RunFolder


def show_preview(config: RunConfig, count: int) -> None:
    """Print the first `count` examples of the training set, trained tokens in colour."""
    from agentdistill.train.data.preview import preview

    examples = storage.join(RunFolder(config.folder).training_set, "examples.parquet")
    for text in preview(config.train, examples, count):
        console.print(text, soft_wrap=True)


def show_estimate(config: RunConfig) -> None:
    """Print the memory of one worker for each ZeRO stage; derived figures, not measured ones."""
    from agentdistill.train.estimate import estimate

    table = Table(title=f"Memory of one worker, GiB (derived): {config.train.model}", title_justify="left")
    table.add_column("ZeRO")
    rows = estimate(config.train)
    names = [name for name in rows[0].__slots__ if name.endswith("_gb")]
    for name in names:
        table.add_column(name.removesuffix("_gb").replace("_", " "), justify="right")
    table.add_column("total", justify="right")
    table.add_column("fits")
    for row in rows:
        parts = [f"{getattr(row, name):.1f}" for name in names]
        table.add_row(str(row.zero_stage), *parts, f"{row.total_gb:.1f}", ", ".join(row.fits))
    console.print(table)
