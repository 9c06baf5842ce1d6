import json
import os
from pathlib import Path

import pytest
from parts import needs

from agentdistill.config.questions import TaskConfig
from agentdistill.errors import DataError
from agentdistill.grading import Grader, GradeRequest
from agentdistill.tasks import BENCHMARKS, load_questions, task_names
from agentdistill.tasks.load import DATA_VARIABLE

FOLDER = Path(os.environ.get(DATA_VARIABLE) or Path(__file__).parents[4] / "shared" / "data" / "benchmarks")

# Third-party data, so no part of a checkout. A variable that names a folder says that it is there.
needs_data = needs(
    "benchmarks",
    FOLDER.is_dir() or DATA_VARIABLE in os.environ,
    f"the published benchmarks are third-party data; set {DATA_VARIABLE} to their folder",
)


@needs_data
@pytest.mark.parametrize("name", BENCHMARKS)
def test_benchmark_loads_whole(name):
    found = load_questions(TaskConfig(task=name, path=str(FOLDER)))
    assert len(found) == BENCHMARKS[name].num_questions
    assert {(question.task, question.kind) for question in found} == {(name, BENCHMARKS[name].kind)}


@needs_data
def test_ids_differ_over_all_benchmarks():
    found = [question for name in BENCHMARKS for question in load_questions(TaskConfig(task=name, path=str(FOLDER)))]
    assert len({question.id for question in found}) == len(found)


@needs_data
def test_gold_answers_are_correct_by_their_own_grader():
    with Grader() as grader:
        for name in BENCHMARKS:
            found = load_questions(TaskConfig(task=name, path=str(FOLDER)))
            grades = grader.grade_many([GradeRequest.for_question(question, question.answers[0]) for question in found])
            assert [question.id for question, grade in zip(found, grades, strict=True) if not grade.correct] == []


@pytest.fixture
def folder(tmp_path):
    example = {"id": 7, "question": "1 + 1?", "answer": 2.0, "dataset_name": "MATH"}
    for name, rows in {
        "aime_90_20250504": [example],
        "math_500_20240101": [example],
        "math_500_20250414": [example, example | {"id": 8}],
        "math_medium_1000": [example, example | {"id": 8, "answer": None}],
        "math_1000_1": [example, *(example | {"id": number, "answer": ""} for number in (8, 9, 10))],
    }.items():
        (tmp_path / f"{name}.json").write_text(json.dumps({"metadata": {}, "examples": rows}))
    return tmp_path


def test_folder_comes_from_the_settings_or_the_environment(folder, monkeypatch):
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    with pytest.raises(DataError, match=f"path is not set and neither is the environment variable {DATA_VARIABLE}"):
        load_questions(TaskConfig(task="aime"))
    monkeypatch.setenv(DATA_VARIABLE, str(folder))
    [question] = load_questions(TaskConfig(task="aime"))
    assert (question.id, question.answers) == ("aime-7", ("2.0",))


def test_newest_file_of_a_name_is_taken(folder):
    assert len(load_questions(TaskConfig(task="math500", path=str(folder)))) == 2


def test_path_may_be_the_file_itself(folder):
    path = folder / "math_500_20240101.json"
    assert len(load_questions(TaskConfig(task="math500", path=str(path)))) == 1


def test_aliases_name_the_same_benchmark(folder):
    assert load_questions(TaskConfig(task="MATH_500", path=str(folder)))[0].task == "math500"


def test_questions_published_without_an_answer_are_left_out(folder):
    assert [question.id for question in load_questions(TaskConfig(task="math_medium", path=str(folder)))] == [
        "math_medium-7"
    ]


def test_more_missing_answers_than_published_are_refused(folder):
    with pytest.raises(DataError, match="example 4: the field 'answer' is empty"):
        load_questions(TaskConfig(task="math_hard", path=str(folder)))


def test_file_that_is_not_in_the_folder_is_named(folder):
    with pytest.raises(DataError, match=r"no file in .* is named musique_500\.json or with a date"):
        load_questions(TaskConfig(task="musique", path=str(folder)))


@pytest.mark.parametrize(("wrong", "near"), [("hotpotq", "hotpotqa"), ("math50", "math500"), ("wrld", "world")])
def test_unknown_task_suggests_the_nearest(wrong, near):
    with pytest.raises(DataError, match=f"task '{wrong}': there is no such task; .*did you mean {near}?"):
        load_questions(TaskConfig(task=wrong))


def test_unknown_task_lists_all_where_none_is_near():
    with pytest.raises(DataError, match=r"known task \(world, file, hotpotqa.*entry point .* or package.module:name$"):
        load_questions(TaskConfig(task="qqqqqqq"))
    assert len(task_names()) == 13


def test_built_in_task_needs_no_file():
    assert len(load_questions(TaskConfig(task="world", split="test", limit=48))) == 48
