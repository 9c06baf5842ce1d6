"""What a maker of somebody's own makes of the trajectories of one question: one example, a pair, or none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa

from agentdistill import plugins, storage
from agentdistill.config import SelectConfig
from agentdistill.errors import DataError
from agentdistill.schema import TRAJECTORIES, trajectories_from_table
from agentdistill.select.questions import Survivor, in_order
from agentdistill.select.trim import without_repeats
from agentdistill.types import TrainingExample, Trajectory

_TRAJECTORIES_AT_ONCE = 1_000  # held in memory, and more only where one question has more


def made_examples(folder: str, kept: Iterable[Survivor], config: SelectConfig, name: str) -> Iterator[TrainingExample]:
    """The examples that the maker `name` makes, question by question in the order of their first trajectories.

    The survivors are grouped by their positions; their rows are read some questions at a time. Raises ConfigError where
    there is no such maker, DataError where it raises, or returns what are no examples, or gives two the same id.
    """
    make = plugins.load("maker", name)
    written: set[str] = set()
    for question_id, trajectories in _by_question(folder, kept, config):
        try:
            examples = list(make(trajectories))
        except Exception as error:
            raise DataError(
                f"maker {name}: raised {type(error).__name__} on question {question_id!r}: {error}"
            ) from error
        for example in examples:
            if not isinstance(example, TrainingExample):
                raise DataError(
                    f"maker {name}: made a {type(example).__name__} of question {question_id!r}, expected "
                    "agentdistill.types.TrainingExample"
                )
            if example.example_id in written:
                raise DataError(
                    f"maker {name}: made two examples with the id {example.example_id!r}, expected ids that differ"
                )
            written.add(example.example_id)
            yield example


def _by_question(folder: str, kept: Iterable[Survivor], config: SelectConfig) -> Iterator[tuple[str, list[Trajectory]]]:
    """Each question's trajectories, the preferred ones first."""
    groups: dict[str, list[Survivor]] = {}
    for item in kept:
        groups.setdefault(item.question_id, []).append(item)
    for some in _portions(list(groups.values())):
        rows = _rows(folder, {item.position for group in some for item in group})
        for group in some:
            found = [rows[item.position] for item in in_order(group, config)]
            yield group[0].question_id, [without_repeats(item) if config.trim_repeated else item for item in found]


def _portions(groups: Sequence[list[Survivor]]) -> Iterator[list[list[Survivor]]]:
    """Groups together as long as they are no more than so many trajectories."""
    portion: list[list[Survivor]] = []
    for group in groups:
        if portion and sum(map(len, portion)) + len(group) > _TRAJECTORIES_AT_ONCE:
            yield portion
            portion = []
        portion.append(group)
    if portion:
        yield portion


def _rows(folder: str, positions: set[int]) -> dict[int, Trajectory]:
    """The trajectories at these positions of the folder, one file after another; those without one are not read."""
    found: dict[int, Trajectory] = {}
    first = 0
    for path in storage.parquet_files(folder):
        count = storage.count_rows(path)
        own = sorted(position for position in positions if first <= position < first + count)
        if own:
            table = storage.read_table(path, TRAJECTORIES).take(pa.array([position - first for position in own]))
            found.update(zip(own, trajectories_from_table(table), strict=True))
        first += count
    return found
