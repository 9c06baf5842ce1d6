"""From a task's settings to its questions."""

from __future__ import annotations

import logging
import os
import random
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import PurePosixPath

from agentdistill import plugins, storage
from agentdistill.config.questions import TaskConfig
from agentdistill.errors import AgentDistillError, DataError
from agentdistill.rows import HUB_PREFIX, LocatedRow, read_rows, stem
from agentdistill.tasks.catalog import BUILT_IN, FILE, Benchmark, find_benchmark, is_own
from agentdistill.tasks.check import check_questions
from agentdistill.tasks.rows import Columns, to_questions
from agentdistill.tasks.world.asking import questions as world_questions
from agentdistill.types import Question, kind_of

log = logging.getLogger(__name__)

#: Names the folder of the published benchmarks where a task's `path` does not.
DATA_VARIABLE = "AGENTDISTILL_DATA"


def load_questions(config: TaskConfig) -> list[Question]:
    """The questions that a task's settings describe, checked; the same settings give the same list.

    `limit` keeps a sample drawn with `seed`, in the order of the source. Raises DataError in one sentence that names
    file, line, field and what was expected.
    """
    if config.task == BUILT_IN:
        loaded = world_questions(config.split, config.limit, config.seed)
        check_questions(loaded, f"task {BUILT_IN}")
        return loaded
    if is_own(config.task):
        source, loaded = f"task {config.task}", _load_own(config)
    else:
        source, loaded = _load_file(config) if config.task == FILE else _load_benchmark(config)
    check_questions(loaded, source)
    return sample(loaded, config.limit, config.seed)


def sample(questions: list[Question], limit: int | None, seed: int) -> list[Question]:
    """`limit` of the questions, drawn with `seed`, in their own order; all where there are no more."""
    if limit is None or limit >= len(questions):
        return questions
    chosen = sorted(random.Random(seed).sample(range(len(questions)), limit))
    return [questions[index] for index in chosen]


def _load_own(config: TaskConfig) -> list[Question]:
    """What the function of somebody's own package makes of the settings."""
    make: Callable[[TaskConfig], Iterable[Question]] = plugins.load("task", config.task)
    try:
        return list(make(config))
    except AgentDistillError:
        raise
    except Exception as error:
        raise DataError(f"task {config.task}: raised {type(error).__name__}: {error}; expected questions") from error


def _load_file(config: TaskConfig) -> tuple[str, list[Question]]:
    if not config.path:
        raise DataError("task file: path is not set, expected a question file")
    rows = _rows(config.path, config)
    return config.path, to_questions(rows, stem(config.path), _kind(config), _columns(config))


def _load_benchmark(config: TaskConfig) -> tuple[str, list[Question]]:
    benchmark = find_benchmark(config.task)
    kind = _kind(config) or benchmark.kind
    from_hub = bool(config.path and config.path.startswith(HUB_PREFIX))
    source = str(config.path) if from_hub else _benchmark_file(benchmark, config.path)
    rows = _rows(source, config)
    columns = _columns(config)
    if benchmark.num_without_answer:
        rows = _answered(rows, columns.answer, benchmark, source)
    return source, to_questions(rows, benchmark.name, kind, columns, id_prefix=f"{benchmark.name}-")


def _benchmark_file(benchmark: Benchmark, path: str | None) -> str:
    """The file of a benchmark: `path` itself, or in the folder that `path` or the environment names."""
    place = path or os.environ.get(DATA_VARIABLE)
    if not place:
        raise DataError(
            f"task {benchmark.name}: path is not set and neither is the environment variable {DATA_VARIABLE}, expected "
            f"the folder that holds {benchmark.file}_*.json, or the file"
        )
    system, inner = storage.filesystem(place)
    if system.isfile(inner):
        return place
    if not system.isdir(inner):
        raise DataError(f"task {benchmark.name}: {place} does not exist, expected the folder of the benchmarks")
    names = sorted(PurePosixPath(name).name for name in system.ls(inner, detail=False))
    fitting = [name for name in names if re.fullmatch(rf"{re.escape(benchmark.file)}(_\d+)?\.json", name)]
    if not fitting:
        raise DataError(f"task {benchmark.name}: no file in {place} is named {benchmark.file}.json or with a date")
    return storage.join(place, fitting[-1])


def _answered(rows: Iterator[LocatedRow], answer: str, benchmark: Benchmark, source: str) -> Iterator[LocatedRow]:
    """The rows without those few that the publisher left without an answer; more than those are an error."""
    skipped = 0
    for where, row in rows:
        if answer in row and row[answer] in (None, "") and skipped < benchmark.num_without_answer:
            skipped += 1
        else:
            yield where, row
    if skipped:
        log.info("%s: left out %d published without an answer", source, skipped)


def _rows(source: str, config: TaskConfig) -> Iterator[LocatedRow]:
    return read_rows(source, split=config.hub_split, holds="question")


def _kind(config: TaskConfig) -> str | None:
    return None if config.kind == "auto" else kind_of(config.kind)


def _columns(config: TaskConfig) -> Columns:
    return Columns(
        config.question_column, config.answer_column, config.id_column, config.alias_column, config.answer_separator
    )
