"""Trajectories -> training set: apply the rules, keep a count for each reason, write what is kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import pyarrow as pa

from agentdistill import plugins, storage
from agentdistill.agent import load_prompt
from agentdistill.config import SelectConfig
from agentdistill.errors import DataError
from agentdistill.schema import TRAINING_EXAMPLES, TRAJECTORIES, examples_to_table, trajectory_from_row
from agentdistill.select.making import made_examples
from agentdistill.select.questions import Survivor, refuse, survivor
from agentdistill.select.rules import make_rules
from agentdistill.select.trim import without_repeats
from agentdistill.types import Message, Role, StopReason, ToolText, TrainingExample, Trajectory, rows_that_count

_EXAMPLES_PER_GROUP = 1_000
_KEY_COLUMNS = ["run_id", "question_id", "sample_index", "stop_reason"]
_TWICE = "stands twice: another row of its key counts"


@dataclass(frozen=True, slots=True)
class SelectSummary:
    """The funnel: total = kept + all dropped."""

    path: str
    total: int
    kept: int
    dropped: dict[str, int]  # reason -> count
    examples: int = 0  # made of those that are kept


def select(
    trajectories: str, training_set: str, funnel_path: str, config: SelectConfig, tools: Sequence[ToolText] = ()
) -> SelectSummary:
    """Read the folder `trajectories`, write one Parquet file into the folder `training_set` and the funnel as JSON.

    `tools` are those that the student's prompt describes.

    The folder is read twice: once to decide, with a few hundred bytes remembered of each trajectory, and once to write
    those that are kept. Raises DataError where nothing is kept: training could not start, and the reasons say why.
    ConfigError where a rule or the maker is not there.
    """
    survivors, dropped = _apply_rules(trajectories, config)
    total = len(survivors) + dropped.total()
    refused = refuse(survivors, config)
    dropped.update(refused.values())
    kept = [item for item in survivors if item.position not in refused]
    reasons = dict(dropped.most_common())
    storage.write_json(funnel_path, {"total": total, "kept": len(kept), "dropped": reasons})
    if not kept:
        why = ", ".join(f"{reason}: {count}" for reason, count in reasons.items()) or "there are none"
        raise DataError(f"{trajectories}: no trajectory of {total} is fit for training ({why})")
    path = storage.join(training_set, "examples.parquet")
    made = _Counted(_examples(trajectories, kept, config, tools))
    storage.write_tables(path, TRAINING_EXAMPLES, _tables(made, config))
    return SelectSummary(path, total, len(kept), reasons, made.count)


def _apply_rules(folder: str, config: SelectConfig) -> tuple[list[Survivor], Counter[str]]:
    """What passed every rule that looks at one trajectory alone, and how many each reason dropped."""
    rules = make_rules(config)
    survivors: list[Survivor] = []
    dropped: Counter[str] = Counter()
    counting = set(rows_that_count(_keys(folder)).values())
    for position, trajectory in _read(folder, config):
        if position not in counting:
            dropped[_TWICE] += 1
            continue
        reason = next((reason for rule in rules if (reason := rule(trajectory)) is not None), None)
        if reason is not None:
            dropped[reason] += 1
        else:
            survivors.append(survivor(position, trajectory, config))
    return survivors, dropped


def _read(folder: str, config: SelectConfig) -> Iterator[tuple[int, Trajectory]]:
    """Every trajectory with its position, in the same order each time."""
    for position, row in enumerate(storage.iterate_rows(folder, TRAJECTORIES)):
        trajectory = trajectory_from_row(row)
        yield position, without_repeats(trajectory) if config.trim_repeated else trajectory


def _keys(folder: str) -> Iterator[tuple[tuple[str, str, int], StopReason]]:
    """The key of every row and how it ended, in the order of `_read`."""
    for path in storage.parquet_files(folder):
        for row in storage.read_table(path, TRAJECTORIES, _KEY_COLUMNS).to_pylist():
            yield (row["run_id"], row["question_id"], row["sample_index"]), StopReason(row["stop_reason"])


def _examples(
    folder: str, kept: Sequence[Survivor], config: SelectConfig, tools: Sequence[ToolText]
) -> Iterator[TrainingExample]:
    """One of each trajectory that is kept, or what the maker makes of them."""
    if config.make is not None:
        yield from made_examples(folder, kept, config, config.make)
        return
    positions = {item.position for item in kept}
    for position, trajectory in _read(folder, config):
        if position in positions:
            yield to_example(trajectory, config.prompt, tools)


@dataclass
class _Counted:
    """Examples on their way to the file, and how many there were."""

    examples: Iterator[TrainingExample]
    count: int = 0

    def __iter__(self) -> Iterator[TrainingExample]:
        for example in self.examples:
            self.count += 1
            yield example


def _tables(made: _Counted, config: SelectConfig) -> Iterator[pa.Table]:
    """The examples in tables of a bounded size. Raises DataError where the maker made none at all."""
    examples = iter(made)
    while group := list(islice(examples, _EXAMPLES_PER_GROUP)):
        yield examples_to_table(group)
    if not made.count:
        raise DataError(f"select.make is {config.make}, which made no example of any question; expected at least one")


def to_example(
    trajectory: Trajectory, prompt: str | None = "student", tools: Sequence[ToolText] = ()
) -> TrainingExample:
    """The conversation as the student sees it: its own short system prompt in place of the teacher's long one.

    A prompt of None is the one that the trajectory's protocol has; a chain of thought has one for all, that of its
    mode. The parts of a turn come with it. Raises ConfigError where there is no such prompt or protocol.
    """
    if trajectory.mode != "agent":
        prompt = trajectory.mode
    student = load_prompt(prompt or plugins.load("protocol", trajectory.protocol).prompt).render(tuple(tools))
    system = Message(Role.SYSTEM, student.text)
    messages = [message for message in trajectory.opening if message.role is not Role.SYSTEM]
    messages += [message for step in trajectory.steps for message in step.messages]
    if trajectory.steps and trajectory.steps[-1].observation:
        # An observation that nothing follows teaches nothing.
        messages = messages[:-1]
    parts = tuple(step.parts for step in trajectory.steps)
    return TrainingExample(
        example_id=f"{trajectory.run_id}/{trajectory.question_id}/{trajectory.sample_index}",
        run_id=trajectory.run_id,
        question_id=trajectory.question_id,
        sample_index=trajectory.sample_index,
        task=trajectory.task,
        messages=(system, *messages),
        failed_steps=tuple(step.error is not None for step in trajectory.steps),
        prefix_chars=len(trajectory.first_thought_prefix),
        parts=parts if any(parts) else (),
    )
