"""The episodes of real runs (configs/real): from run folders into docs/recorded/, and back.

    python benchmarks/recorded.py save RUN...     # RUN/trajectories and RUN/scores/* -> docs/recorded/NAME/*.parquet
    python benchmarks/recorded.py restore RUN...  # the other way; the same command then has only the rest to do

NAME is the last part of RUN. Token ids are left out: training renders the text anew, and they are half of the size.
Questions and their answers are left out too, as they are other people's: `restore` reads them where docs/tasks.md says.
"""

from __future__ import annotations

import argparse
import io
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from agentdistill import storage
from agentdistill.config import TaskConfig
from agentdistill.schema import TRAJECTORIES, trajectories_from_table, trajectories_to_table
from agentdistill.tasks import load_questions
from agentdistill.types import Step, Trajectory

RECORDED = Path(__file__).parents[1] / "docs" / "recorded"
TEACHER = "teacher"
QUESTION = "<question>"  # stands for it in the conversation


def without_ids(step: Step) -> Step:
    return replace(step, token_ids=(), prompt_token_ids=(), logprobs=())


def with_question(row: Trajectory, written: str, question: str, answers: tuple[str, ...]) -> Trajectory:
    """The episode with `question` in place of what is `written` for it, in front of the first turn of the model."""
    opening = tuple(replace(message, content=message.content.replace(written, question)) for message in row.opening)
    return replace(row, question=question, gold_answers=answers, opening=opening)


def slim(table: pa.Table) -> pa.Table:
    """The same episodes in the order of their keys, without token ids and questions."""
    rows = sorted(trajectories_from_table(table), key=lambda row: (row.question_id, row.sample_index))
    finished = [row for row in rows if not row.stop_reason.is_system]
    slimmed = [replace(row, steps=tuple(map(without_ids, row.steps))) for row in finished]
    return trajectories_to_table([with_question(row, row.question, QUESTION, ()) for row in slimmed])


def whole(table: pa.Table) -> pa.Table:
    """The episodes with their questions. Raises DataError where the question sets are not there."""
    rows = trajectories_from_table(table)
    questions = {q.id: q for task in {row.task for row in rows} for q in load_questions(TaskConfig(task=task))}
    known = [(row, questions[row.question_id]) for row in rows]
    return trajectories_to_table([with_question(row, QUESTION, q.text, q.answers) for row, q in known])


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
        table = whole(storage.read_table(str(source), TRAJECTORIES))
        storage.make_folder(str(folder))
        storage.write_table(str(folder / "part-recorded.parquet"), table)
        print(f"{folder}: {table.num_rows} episodes")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("save", "restore"))
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    arguments = parser.parse_args()
    for run in arguments.runs:
        {"save": save, "restore": restore}[arguments.what](run)


if __name__ == "__main__":
    main()
