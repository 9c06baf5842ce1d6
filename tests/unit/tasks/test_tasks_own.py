"""A task of somebody else's package, and kinds that are graders."""

import json

import pytest

from agentdistill.config import TaskConfig, load
from agentdistill.errors import ConfigError, DataError
from agentdistill.tasks import check_questions, load_questions
from agentdistill.types import Kind, Question

RIDDLES = "own_parts:riddles"


def test_its_questions_are_sampled_like_any_other() -> None:
    every = load_questions(TaskConfig(task=RIDDLES))
    some = load_questions(TaskConfig(task=RIDDLES, limit=4, seed=7))
    assert [question.id for question in every] == [f"r{i}" for i in range(10)]
    assert len(some) == 4
    assert [item for item in every if item in some] == some == load_questions(TaskConfig(task=RIDDLES, limit=4, seed=7))


def test_it_gets_its_settings() -> None:
    assert {question.kind for question in load_questions(TaskConfig(task=RIDDLES, settings={"kind": "math"}))} == {
        "math"
    }


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ([], "there are no questions in it"),
        ([{"id": "a"}], "question 1: found a dict, expected an agentdistill.types.Question"),
        (
            [Question("a", "q", "42", Kind.MATH, "t")],
            "question 1 .*: answers is '42', expected a tuple of texts",
        ),
        ([Question("a", None, ("1",), Kind.MATH, "t")], "question 1: text is None, expected a text"),
        ([Question("a", "q", ("1",), "mth", "t")], "grader 'mth': there is none of that name; expected .*mean math"),
        ([Question("a", "q", ("1",), "no.such:grader", "t")], "no.such:grader cannot be imported"),
        ([Question("a", "q", ("1",), "own_parts:not_async", "t")], "is not async, expected an async function"),
        (
            [Question("a", "q", ("1",), Kind.MATH, "t", {"x": object()})],
            "metadata is {'x': .*expected a dict that JSON",
        ),
        ([Question("a", "q", ("1",), Kind.MATH, "t", None)], "metadata is None, expected a dict that JSON has"),
        (7, "raised TypeError: 'int' object is not iterable; expected questions"),
    ],
)
def test_what_is_no_list_of_questions_is_refused(made: object, message: str) -> None:
    task = "own_parts:broken_riddles"
    with pytest.raises(DataError, match=f"task {task}.*{message}"):
        load_questions(TaskConfig(task=task, settings={"questions": made}))


def test_an_error_of_its_own_names_the_task() -> None:
    with pytest.raises(DataError, match="task own_parts:broken_riddles: raised KeyError: 'questions'"):
        load_questions(TaskConfig(task="own_parts:broken_riddles"))


def test_a_row_may_name_a_grader_as_its_kind(tmp_path) -> None:
    path = tmp_path / "set.jsonl"
    rows = [
        {"id": 1, "question": "q", "answer": "1", "kind": "own_parts:close_enough"},
        {"id": 2, "question": "p", "answer": "2"},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = load_questions(TaskConfig(task="file", path=str(path)))
    assert [question.kind for question in found] == ["own_parts:close_enough", Kind.MATH]


def test_a_row_with_a_kind_that_nobody_grades_is_refused(tmp_path) -> None:
    path = tmp_path / "set.jsonl"
    path.write_text(json.dumps({"id": 1, "question": "q", "answer": "1", "kind": "factul"}) + "\n")
    with pytest.raises(DataError, match=r"line 1: the field 'kind' is 'factul', expected .*did you mean factual"):
        load_questions(TaskConfig(task="file", path=str(path)))
    with pytest.raises(ConfigError, match=r"questions.train\[0\].kind is factul, expected a known grader"):
        load(None, ["questions.train[0].kind=factul"])


def test_a_kind_that_is_no_text_is_refused() -> None:
    with pytest.raises(DataError, match="kind is 3, expected a text"):
        check_questions([Question("a", "q", ("1",), 3, "t")], "here")  # type: ignore[arg-type]
