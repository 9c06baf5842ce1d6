"""A grader of somebody else's package decides; where it cannot, nothing is wrong and the reason is kept."""

import dataclasses

import numpy as np
import pytest
from trajectories import make_trajectory

from agentdistill.errors import ConfigError, GradingError
from agentdistill.grading import Grader, GradeRequest, grade, graded
from agentdistill.schema import trajectories_from_table, trajectories_to_table
from agentdistill.types import Grade, Kind, Question, StopReason

CLOSE = "own_parts:close_enough"
ASKED = Question("r5", "Riddle 5?", ("5",), CLOSE, "riddles", {"level": "5"})


def ask(answer: str | None, question: Question = ASKED) -> GradeRequest:
    return GradeRequest.for_question(question, answer)


def test_requests_of_every_kind_come_back_in_their_order() -> None:
    half, city = GradeRequest(Kind.MATH, ("1/2",), "0.5"), GradeRequest(Kind.FACTUAL, ("Oslo",), "Bern")
    with Grader() as grader:
        assert grader.grade_many([ask("6"), half, ask("9"), city]) == [
            Grade(0.5, True, "close-1"),
            Grade(1.0, True, "math-2"),
            Grade(0.2, False, "close-1"),
            Grade(0.0, False, "factual-2"),
        ]
        assert grader.counts.graded == 4


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (ask("five"), f"{CLOSE} raised ValueError: invalid literal"),
        (ask("5", dataclasses.replace(ASKED, metadata={"level": "0"})), f"{CLOSE} gave no grade"),
        (
            ask("5", dataclasses.replace(ASKED, kind="own_parts:never_a_grade")),
            "gave True, expected a Grade with a score",
        ),
    ],
)
async def test_one_that_cannot_decide_gives_no_grade_but_a_reason(request_: GradeRequest, reason: str) -> None:
    with Grader() as grader:
        (ruling,) = await grader.rule_many_async([request_])
    assert ruling.grade is None
    assert reason in ruling.reason


async def test_the_built_in_ones_have_names_too() -> None:
    with Grader() as grader:
        assert await grader.grade_many_async([ask("5.0", dataclasses.replace(ASKED, kind="math"))]) == [
            Grade(1.0, True, "math-2")
        ]


def test_one_answer_is_graded_or_the_reason_is_raised() -> None:
    assert grade(CLOSE, ["5"], "5").correct
    with pytest.raises(GradingError, match=r"raised ValueError.*stays ungraded"):
        grade(CLOSE, ["5"], "five")
    with pytest.raises(ConfigError, match="grader 'nobody': there is none of that name"):
        grade("nobody", ["5"], "5")


def test_a_record_keeps_such_a_kind_and_can_be_graded_again() -> None:
    stored = trajectories_from_table(
        trajectories_to_table([make_trajectory(kind=CLOSE, answer="1"), make_trajectory()])
    )
    assert [item.kind for item in stored] == [CLOSE, Kind.MATH]
    assert stored[1].kind is Kind.MATH
    with Grader() as grader:
        assert grader.grade(GradeRequest.of(stored[0])) == Grade(1.0, True, "close-1")


@pytest.mark.parametrize(
    ("changes", "has_judge", "grade_", "error"),
    [
        ({"kind": CLOSE, "answer": "5"}, False, Grade(1.0, True, "close-1"), ""),
        ({"kind": CLOSE, "answer": "5"}, True, Grade(1.0, True, "close-1"), ""),
        ({"kind": CLOSE, "answer": "five"}, False, None, f"grader: {CLOSE} raised ValueError: invalid literal"),
        ({"kind": Kind.FACTUAL, "answer": "5"}, True, None, ""),  # a judge comes later
        ({"kind": CLOSE, "stop_reason": StopReason.ENGINE_ERROR, "error": "dead"}, False, None, "dead"),
    ],
)
async def test_a_record_gets_its_grade_or_why_it_has_none(changes, has_judge, grade_, error) -> None:
    episode = make_trajectory(grade=None, **changes)
    with Grader() as grader:
        record = await graded(episode, dataclasses.replace(ASKED, kind=episode.kind), grader, has_judge)
    assert record.grade == grade_
    assert record.error.startswith(error)
    assert bool(record.error) == bool(error)
    assert dataclasses.replace(record, grade=None, error=episode.error) == episode


@pytest.mark.parametrize("field", [{"score": "high"}, {"score": float("nan")}, {"correct": "yes"}, {"grader": 3}])
async def test_a_grade_that_no_record_can_keep_is_none(field: dict) -> None:
    question = dataclasses.replace(ASKED, kind="own_parts:a_grade_of_words", metadata=field)
    with Grader() as grader:
        (ruling,) = await grader.rule_many_async([ask("5", question)])
        assert ruling.grade is None
        assert "0 to 1, True or False for correct and the grader's name" in ruling.reason
        sound = dataclasses.replace(question, metadata={"score": np.float32(0.5), "correct": np.bool_(True)})
        (ruling,) = await grader.rule_many_async([ask("5", sound)])
    assert ruling.grade == Grade(0.5, True, "words")
    assert type(ruling.grade.correct) is bool
