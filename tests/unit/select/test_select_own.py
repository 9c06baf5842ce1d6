"""Rules and makers of somebody else's package."""

import dataclasses
import random
from pathlib import Path

import pytest
from trajectories import STEP, make_trajectory

from agentdistill import storage
from agentdistill.config import SelectConfig, load
from agentdistill.errors import ConfigError, DataError
from agentdistill.schema import TRAINING_EXAMPLES, examples_from_table, trajectories_to_table
from agentdistill.select import SelectSummary, select
from agentdistill.types import Grade, StopReason, Trajectory

WRONG = Grade(0.0, False, "math-1")


def episode(question: str, sample: int, **changes) -> Trajectory:
    step = dataclasses.replace(STEP, text=f"Thought: {question}, {sample}\nCode:\n```py\n1\n```<end_code>")
    return make_trajectory(question_id=question, sample_index=sample, question=f"{question}?", steps=(step,), **changes)


def run(folder: Path, config: SelectConfig, *files: list[Trajectory]) -> tuple[SelectSummary, list[str]]:
    """What selection says, and the ids of the examples that it wrote."""
    for number, rows in enumerate(files):
        storage.write_table(str(folder / "t" / f"{number}.parquet"), trajectories_to_table(rows))
    summary = select(str(folder / "t"), str(folder / "s"), str(folder / "select.json"), config)
    written = examples_from_table(storage.read_folder(str(folder / "s"), TRAINING_EXAMPLES))
    return summary, [example.example_id for example in written]


def test_an_own_rule_comes_after_the_others_and_its_reason_is_counted(tmp_path: Path) -> None:
    rows = [episode("q1", 0), episode("q1", 1), episode("q1", 2, grade=WRONG)]
    summary, written = run(tmp_path, SelectConfig(rules=["own_parts:second_thoughts"]), rows)
    assert summary.dropped == {"second thoughts": 1, "wrong answer": 1}
    assert written == ["run/q1/0"]


@pytest.mark.parametrize(
    ("question", "message"),
    [("q1", "returned True, expected the reason"), ("q2", "raised KeyError on trajectory run/q2/0: 'q2'")],
)
def test_a_rule_that_breaks_or_gives_no_reason_is_named(tmp_path: Path, question: str, message: str) -> None:
    with pytest.raises(DataError, match=f"rule own_parts:no_rule: {message}"):
        run(tmp_path, SelectConfig(rules=["own_parts:no_rule"]), [episode(question, 0)])


def test_a_maker_gets_each_questions_survivors_wherever_they_stand(tmp_path: Path) -> None:
    rows = [episode(f"q{i % 5}", i // 5, grade=WRONG if i == 7 else Grade(1.0, True, "math-1")) for i in range(20)]
    random.Random(0).shuffle(rows)
    config = SelectConfig(make="own_parts:joined", max_per_question=3)
    summary, written = run(tmp_path, config, rows[:6], rows[6:7], rows[7:])
    assert sorted(written) == ["q0:0+1+2", "q1:0+1+2", "q2:0+2+3", "q3:0+1+2", "q4:0+1+2"]
    assert (summary.kept, summary.examples) == (15, 5)


def test_more_than_are_held_at_once_are_made_in_the_same_order(tmp_path: Path) -> None:
    rows = [episode(f"q{i}", sample) for sample in range(2) for i in range(700)]
    _, written = run(tmp_path, SelectConfig(make="own_parts:joined"), rows[:900], rows[900:])
    assert written == [f"q{i}:0+1" for i in range(700)]


def test_a_maker_that_makes_nothing_leaves_nothing_to_train_on(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"select.make is own_parts:joined, which made no example"):
        run(tmp_path, SelectConfig(make="own_parts:joined"), [episode("q1", 0)])
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ("q1", "made a int of question 'q1', expected agentdistill.types.TrainingExample"),
        ("q2", "made two examples with the id 'run/q2/0'"),
        ("q3", "raised KeyError on question 'q3': 'q3'"),
    ],
)
def test_a_maker_that_makes_something_else_is_named(tmp_path: Path, question: str, message: str) -> None:
    with pytest.raises(DataError, match=f"maker own_parts:no_maker: {message}"):
        run(tmp_path, SelectConfig(make="own_parts:no_maker"), [episode(question, 0)])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("select.rules=[nothing]", r"select.rules is nothing, expected a known rule \(none is built in\)"),
        ("select.make=nothing", r"select.make is nothing, expected a known maker"),
    ],
)
def test_names_that_nobody_has_are_refused_with_the_config(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load(None, [override])


def test_of_a_key_that_stands_twice_one_row_counts(tmp_path: Path) -> None:
    failed = episode("q1", 0, stop_reason=StopReason.ENGINE_ERROR, grade=None)
    again = episode("q2", 0, answer="later")
    summary, written = run(tmp_path, SelectConfig(), [failed, episode("q2", 0)], [episode("q1", 0), again])
    assert sorted(written) == ["run/q1/0", "run/q2/0"]
    assert summary.total == summary.kept + sum(summary.dropped.values()) == 4
    assert [count for reason, count in summary.dropped.items() if reason.startswith("stands twice")] == [2]
