import csv
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from agentdistill.config.questions import TaskConfig
from agentdistill.errors import DataError
from agentdistill.tasks import load_questions
from agentdistill.types import Kind

ROWS = [
    {"id": "a", "question": "How many legs has a spider?", "answer": "8"},
    {"id": "b", "question": "What is half of one?", "answer": "0.5"},
]


def write(path, rows):
    """The rows in the form that the file's suffix says."""
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    elif path.suffix == ".json":
        path.write_text(json.dumps({"metadata": {}, "examples": rows}), encoding="utf-8")
    elif path.suffix == ".csv":
        with path.open("w", newline="", encoding="utf-8") as out:
            writer = csv.DictWriter(out, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    else:
        pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def load(path, **settings):
    return load_questions(TaskConfig(task="file", path=str(path), **settings))


def refusal(path, **settings):
    with pytest.raises(DataError) as caught:
        load(path, **settings)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("suffix", [".json", ".jsonl", ".csv", ".parquet"])
def test_every_format_gives_the_same_questions(tmp_path, suffix):
    found = load(write(tmp_path / f"set{suffix}", ROWS))
    assert [(question.id, question.text, question.answers, question.task) for question in found] == [
        ("a", "How many legs has a spider?", ("8",), "set"),
        ("b", "What is half of one?", ("0.5",), "set"),
    ]


def test_columns_have_the_names_that_the_settings_give(tmp_path):
    path = write(tmp_path / "set.csv", [{"key": "1", "problem": "1 + 1?", "solution": "2"}])
    [question] = load(path, question_column="problem", answer_column="solution", id_column="key")
    assert (question.id, question.text, question.answers) == ("1", "1 + 1?", ("2",))


def test_numbers_become_text_and_lists_several_answers(tmp_path):
    rows = [
        {"id": 1, "question": "q1", "answer": 13138980.0},
        {"id": 2, "question": "q2", "answer": 7},
        {"id": 3, "question": "q3", "answer": ["1/2", 0.5, "1/2"]},
    ]
    found = load(write(tmp_path / "set.jsonl", rows))
    assert [question.answers for question in found] == [("13138980.0",), ("7",), ("1/2", "0.5")]


def test_aliases_and_separators_add_accepted_answers(tmp_path):
    path = write(
        tmp_path / "set.jsonl", [{"id": 1, "question": "q", "answer": "USA|U.S.", "aliases": ["America", "USA"]}]
    )
    [question] = load(path, answer_separator="|", alias_column="aliases")
    assert question.answers == ("USA", "U.S.", "America")


def test_ids_are_made_where_no_row_has_one(tmp_path):
    path = write(tmp_path / "set.csv", [{"question": "q1", "answer": "1"}, {"question": "q2", "answer": "2"}])
    assert [question.id for question in load(path)] == ["set-0", "set-1"]


@pytest.mark.parametrize(
    ("answers", "kind"),
    [
        (["8", "-1,000.5", "$3"], Kind.MATH),
        (["\\frac{1}{2}", "4"], Kind.MATH),
        (["8", "Paris"], Kind.FACTUAL),
        (["yes"], Kind.FACTUAL),
    ],
)
def test_kind_follows_from_the_answers(tmp_path, answers, kind):
    rows = [{"id": i, "question": f"q{i}", "answer": answer} for i, answer in enumerate(answers)]
    assert {question.kind for question in load(write(tmp_path / "set.jsonl", rows))} == {kind}


def test_kind_is_what_the_settings_or_the_row_say(tmp_path):
    path = write(tmp_path / "set.jsonl", [{"id": 1, "question": "When?", "answer": "1932", "kind": "factual"}])
    assert load(path)[0].kind is Kind.FACTUAL
    assert load(path, kind="math")[0].kind is Kind.MATH


def test_a_sample_is_the_same_again_and_keeps_the_order(tmp_path):
    rows = [{"id": i, "question": f"q{i}", "answer": "1"} for i in range(100)]
    path = write(tmp_path / "set.jsonl", rows)
    first = [int(question.id) for question in load(path, limit=10, seed=3)]
    assert first == [int(question.id) for question in load(path, limit=10, seed=3)]
    assert first == sorted(first)
    assert first != [int(question.id) for question in load(path, limit=10, seed=4)]


def test_a_data_set_of_the_hub_library_is_read_by_its_id(tmp_path):
    write(tmp_path / "test.jsonl", ROWS)
    assert [question.id for question in load(f"hub:{tmp_path}", hub_split="test")] == ["a", "b"]


def test_missing_field_names_file_line_field_and_what_was_expected(tmp_path):
    path = write(tmp_path / "set.jsonl", [ROWS[0], {"id": "b", "question": "q"}])
    assert refusal(path) == (
        f"{path}, line 2: the field 'answer' is missing, expected a gold answer: a text, a number, or a list of them; "
        "the fields there are: id, question"
    )


@pytest.mark.parametrize("answer", [None, "", "  ", [], [""], {"value": 5}, True, [None], float("inf")])
def test_gold_that_is_missing_or_of_another_type_is_refused(tmp_path, answer):
    path = write(tmp_path / "set.jsonl", [ROWS[0], {"id": "b", "question": "q", "answer": answer}])
    message = refusal(path)
    assert "line 2" in message
    assert "'answer'" in message
    assert "expected a gold answer" in message


def test_duplicate_id_names_both_questions(tmp_path):
    path = write(tmp_path / "set.csv", [ROWS[0], ROWS[1], ROWS[0]])
    assert refusal(path) == f"{path}, question 3: the id 'a' already stands at question 1, expected ids that differ"


@pytest.mark.parametrize("row", [{"id": None}, {"id": ""}, {"id": [1]}, {"question": 5}, {"question": " "}])
def test_id_or_text_of_another_type_is_refused(tmp_path, row):
    path = write(tmp_path / "set.jsonl", [ROWS[0] | row])
    assert f"the field '{next(iter(row))}' is" in refusal(path)


def test_broken_json_lines_name_the_line(tmp_path):
    path = tmp_path / "set.jsonl"
    path.write_text(json.dumps(ROWS[0]) + "\n\n" + '{"id": "b", "question"\n')
    assert refusal(path).startswith(f"{path}, line 3: not valid JSON at column ")


def test_broken_json_names_the_line(tmp_path):
    path = tmp_path / "set.json"
    path.write_text('[\n {"id": 1,}\n]')
    assert f"{path}, line 2: not valid JSON" in refusal(path)


def test_json_of_another_shape_is_refused(tmp_path):
    path = tmp_path / "set.json"
    path.write_text('{"questions": []}')
    assert "'examples'" in refusal(path) or '"examples"' in refusal(path)
    path.write_text("[1]")
    assert "example 1: found a JSON int, expected an object" in refusal(path)


@pytest.mark.parametrize("suffix", [".json", ".jsonl", ".csv", ".parquet"])
def test_empty_file_is_refused(tmp_path, suffix):
    path = tmp_path / f"set{suffix}"
    path.write_text(" \n")
    assert refusal(path) == f"{path}: the file is empty, expected at least one question"


def test_file_without_a_question_is_refused(tmp_path):
    path = tmp_path / "set.json"
    path.write_text("[]")
    assert refusal(path) == f"{path}: there are no questions in it, expected at least one"


def test_csv_row_of_another_length_names_the_line(tmp_path):
    path = tmp_path / "set.csv"
    path.write_text("id,question,answer\na,q,1\nb,q\n")
    assert refusal(path) == f"{path}, line 3: 2 values, expected 3 as in the header"


def test_torn_parquet_is_refused(tmp_path):
    path = write(tmp_path / "set.parquet", ROWS)
    path.write_bytes(path.read_bytes()[:-10])
    assert "not a complete Parquet file" in refusal(path)


def test_text_that_is_not_utf8_names_the_line(tmp_path):
    path = tmp_path / "set.csv"
    path.write_bytes("id,question,answer\na,Café?,1\n".encode("latin-1"))
    assert refusal(path).startswith(f"{path}, line 2: byte ")


def test_missing_file_folder_and_unknown_suffix_are_refused(tmp_path):
    assert "there is no such file" in refusal(tmp_path / "none.jsonl")
    assert "cannot read a file ending in '.txt', expected one of .json" in refusal(tmp_path / "set.txt")
    (tmp_path / "folder.json").mkdir()
    assert "expected a question file" in refusal(tmp_path / "folder.json")


def test_hub_data_set_that_does_not_exist_is_refused(tmp_path):
    message = refusal(f"hub:{tmp_path}/none")
    assert message.startswith(f"hub:{tmp_path}/none: cannot load split 'test': ")
