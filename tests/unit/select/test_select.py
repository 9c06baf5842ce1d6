"""Which trajectories are kept, and the reason for each one that is not."""

import dataclasses
import json
from pathlib import Path

import pytest
from trajectories import FAILED_STEP, INVALID_STEP, STEP, make_step, make_trajectory

from agentdistill import storage
from agentdistill.agent import THOUGHT_CODE, load_prompt
from agentdistill.config import SelectConfig
from agentdistill.errors import DataError
from agentdistill.schema import TRAINING_EXAMPLES, examples_from_table, trajectories_to_table
from agentdistill.select import make_rules, select, to_example
from agentdistill.types import SEARCH_TOOL, Grade, Role, StopReason, Trajectory

WRONG = Grade(0.0, False, "math-1")


def reason_for(trajectory: Trajectory, config: SelectConfig | None = None) -> str | None:
    rules = make_rules(config or SelectConfig())
    return next((reason for rule in rules if (reason := rule(trajectory))), None)


@pytest.mark.parametrize(
    ("trajectory", "reason"),
    [
        (make_trajectory(), None),
        (make_trajectory(steps=(FAILED_STEP, STEP)), None),
        (make_trajectory(grade=WRONG), "wrong answer"),
        (make_trajectory(grade=None), "not graded"),
        (make_trajectory(steps=(INVALID_STEP, STEP)), "invalid action"),
        (make_trajectory(stop_reason=StopReason.MAX_STEPS), "no answer: max_steps"),
        (make_trajectory(mode="cot", stop_reason=StopReason.ANSWERED), None),
        (make_trajectory(mode="cot", stop_reason=StopReason.ANSWERED, answer=None), "no answer: none in the text"),
        (make_trajectory(stop_reason=StopReason.ENGINE_ERROR, grade=None), "system failure: engine_error"),
        (make_trajectory(repeated=True), "repeats itself"),
    ],
)
def test_the_papers_rule(trajectory: Trajectory, reason: str | None) -> None:
    assert reason_for(trajectory) == reason


def test_every_part_of_the_rule_can_be_switched_off() -> None:
    config = SelectConfig(correct=False, no_parse_error=False, within_steps=False, drop_repeated=False)
    bad = make_trajectory(
        steps=(INVALID_STEP,), grade=WRONG, stop_reason=StopReason.MAX_STEPS, repeated=True
    )  # fmt: skip
    assert reason_for(bad, config) is None


def test_long_ones_duplicates_and_too_many_per_question_are_dropped(tmp_path: Path) -> None:
    other_step = dataclasses.replace(STEP, text="Thought: another way\nCode:\n```py\n2\n```<end_code>")
    trajectories = [
        make_trajectory(sample_index=0),
        make_trajectory(sample_index=1),
        make_trajectory(sample_index=2, steps=(other_step,)),
        make_trajectory(sample_index=3, steps=(other_step, other_step)),
        make_trajectory(question_id="q2", question="x" * 5_000, opening=make_trajectory().messages * 200),
    ]
    storage.write_table(str(tmp_path / "t" / "a.parquet"), trajectories_to_table(trajectories))
    config = SelectConfig(max_per_question=2, max_chars=5_000)
    summary = select(str(tmp_path / "t"), str(tmp_path / "s"), str(tmp_path / "select.json"), config)
    assert summary.kept == 2
    assert summary.dropped == {
        "duplicate": 1, "more than 2 for the question": 1, "longer than 5000 characters": 1,
    }  # fmt: skip
    funnel = json.loads((tmp_path / "select.json").read_text())
    assert funnel["total"] == funnel["kept"] + sum(funnel["dropped"].values()) == 5
    kept = examples_from_table(storage.read_folder(str(tmp_path / "s"), TRAINING_EXAMPLES))
    assert [example.example_id for example in kept] == ["run/q1/0", "run/q1/2"]


def test_repeated_steps_can_be_cut_out_instead(tmp_path: Path) -> None:
    other = make_step("another way", "2", "2")
    final = make_step("done", "final_answer(1)", "")
    trajectory = make_trajectory(steps=(FAILED_STEP, other, STEP, final), repeated=True)
    storage.write_table(str(tmp_path / "t" / "a.parquet"), trajectories_to_table([trajectory]))
    config = SelectConfig(drop_repeated=False, trim_repeated=True)
    select(str(tmp_path / "t"), str(tmp_path / "s"), str(tmp_path / "select.json"), config)
    (example,) = examples_from_table(storage.read_folder(str(tmp_path / "s"), TRAINING_EXAMPLES))
    assert [message.content for message in example.messages if message.role is Role.ASSISTANT] == [
        FAILED_STEP.text, other.text, final.text,
    ]  # fmt: skip
    assert example.failed_steps == (True, False, False)
    assert [message.role for message in example.messages[1:]] == [Role.USER, Role.ASSISTANT] * 3


def test_nothing_kept_is_an_error_that_says_why(tmp_path: Path) -> None:
    storage.write_table(str(tmp_path / "t" / "a.parquet"), trajectories_to_table([make_trajectory(grade=WRONG)]))
    with pytest.raises(DataError, match=r"no trajectory of 1 is fit for training \(wrong answer: 1\)"):
        select(str(tmp_path / "t"), str(tmp_path / "s"), str(tmp_path / "select.json"), SelectConfig())


def test_the_students_short_prompt_replaces_the_teachers() -> None:
    example = to_example(make_trajectory())
    assert example.messages[0].content == load_prompt("student").render().text
    assert [message.role for message in example.messages].count(Role.SYSTEM) == 1


def test_without_a_prompt_an_example_gets_that_of_the_protocol() -> None:
    example = to_example(make_trajectory(protocol="thought_code"), None)
    assert example.messages[0].content == load_prompt(THOUGHT_CODE.prompt).render().text


def test_the_students_prompt_describes_the_tools_of_the_run(tmp_path: Path) -> None:
    storage.write_table(str(tmp_path / "t" / "a.parquet"), trajectories_to_table([make_trajectory()]))
    select(str(tmp_path / "t"), str(tmp_path / "s"), str(tmp_path / "select.json"), SelectConfig(), (SEARCH_TOOL,))
    (example,) = examples_from_table(storage.read_folder(str(tmp_path / "s"), TRAINING_EXAMPLES))
    assert example.messages[0].content == load_prompt("student").render((SEARCH_TOOL,)).text
    assert "search(query)" in example.messages[0].content


def test_an_example_knows_the_parts_of_each_turn() -> None:
    example = to_example(make_trajectory(steps=(FAILED_STEP, make_step("done", "final_answer(1)", ""))))
    turns = [message.content for message in example.messages if message.role is Role.ASSISTANT]
    found = [
        [(str(part.kind), turn[part.start : part.end]) for part in parts]
        for turn, parts in zip(turns, example.parts, strict=True)
    ]
    assert found == [
        [("thought", "t"), ("code", "1")],
        [("thought", "done"), ("code", "final_answer(1)"), ("answer", "final_answer(1)")],
    ]


def test_an_observation_stays_whoever_speaks_it() -> None:
    steps = (make_step(observation_role=Role.SYSTEM), make_step(observation=""))
    roles = [message.role for message in to_example(make_trajectory(steps=steps)).messages]
    assert roles == [Role.SYSTEM, Role.USER, Role.ASSISTANT, Role.SYSTEM, Role.ASSISTANT]


def test_an_example_ends_with_the_agents_turn_and_knows_its_failed_steps() -> None:
    example = to_example(make_trajectory(steps=(FAILED_STEP, STEP)))
    assert example.messages[-1].role is Role.ASSISTANT
    assert example.failed_steps == (True, False)
