"""The episodes of real runs (configs/real): from run folders into docs/recorded/, and back.

    python benchmarks/recorded.py save RUN...     # RUN/trajectories and RUN/scores/* -> docs/recorded/NAME/*.parquet
    python benchmarks/recorded.py restore RUN...  # the other way; the same command then has only the rest to do

NAME is the last part of RUN. Token ids are left out: training renders the text anew, and they are half of the size.
"""

from __future__ import annotations

import argparse
import io
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from agentdistill import storage
from agentdistill.schema import TRAJECTORIES, trajectories_from_table, trajectories_to_table
from agentdistill.types import Step

RECORDED = Path(__file__).parents[1] / "docs" / "recorded"
TEACHER = "teacher"


def without_ids(step: Step) -> Step:
    return replace(step, token_ids=(), prompt_token_ids=(), logprobs=())


def slim(table: pa.Table) -> pa.Table:
    """The same episodes in the order of their keys, without token ids."""
    rows = sorted(trajectories_from_table(table), key=lambda row: (row.question_id, row.sample_index))
    finished = [row for row in rows if not row.stop_reason.is_system]
    return trajectories_to_table([replace(row, steps=tuple(map(without_ids, row.steps))) for row in finished])


def save(run: Path) -> None:
    places = {TEACHER: run / "trajectories", **{cell.name: cell for cell in sorted(run.glob("scores/*/"))}}
    for name, folder in places.items():
        if not storage.parquet_files(str(folder)):
            continue
        table = slim(storage.read_folder(str(folder), TRAJECTORIES))
        sink = io.BytesIO()
        pq.write_table(table, sink, compression="zstd", compression_level=19)
        target = RECORDED / run.name / f"{name}.parquet"
        target.parent.mkdir(parents=True, exist_ok=True)
        storage.write_bytes(str(target), sink.getvalue())
        print(f"{target.relative_to(RECORDED.parent)}: {table.num_rows} episodes, {len(sink.getvalue()):,} bytes")


def restore(run: Path) -> None:
    sources = sorted((RECORDED / run.name).glob("*.parquet"))
    if not sources:
        raise SystemExit(f"{RECORDED / run.name}: nothing is recorded of a run of this name")
    for source in sources:
        folder = run / "trajectories" if source.stem == TEACHER else run / "scores" / source.stem
        if folder.exists() and storage.parquet_files(str(folder)):
            raise SystemExit(f"{folder}: there are episodes already, expected a new run folder")
        storage.make_folder(str(folder))
        storage.write_bytes(str(folder / "part-recorded.parquet"), source.read_bytes())
        print(f"{folder}: {pq.read_metadata(source).num_rows} episodes")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("save", "restore"))
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    arguments = parser.parse_args()
    for run in arguments.runs:
        {"save": save, "restore": restore}[arguments.what](run)


if __name__ == "__main__":
    main()
