"""Other people's trajectories become ours, row by row, and nothing is lost without a word."""

import importlib
import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from agentdistill import storage
from agentdistill.agent import load_prompt
from agentdistill.config import SelectConfig
from agentdistill.errors import DataError
from agentdistill.schema import TRAINING_EXAMPLES, TRAJECTORIES, examples_from_table, trajectories_from_table
from agentdistill.select import select
from agentdistill.traces.importing import ROWS_PER_FILE, import_trajectories
from agentdistill.types import ActionError, Grade, Kind, Role, StopReason, Trajectory

ADD = "Thought: I add.\nCode:\n```py\nx = 1 + 1\nprint(x)\n```<end_code>"
ANSWER = "Thought: Done.\nCode:\n```py\nfinal_answer(2)\n```<end_code>"


def content(text: str) -> list[dict[str, str]]:
    return [{"type": "text", "text": text}]


def smolagents_messages(*turns: tuple[str, str], task: str = "What is 1 + 1?") -> list[dict[str, Any]]:
    first = [("system", "A long prompt."), ("user", f"New task:\n{task}")]
    return [{"role": role, "content": content(text)} for role, text in (*first, *turns)]


SOLVED = smolagents_messages(
    ("assistant", ADD),
    ("tool-call", "Calling tools:\n[{'id': 'call_1', 'function': {'name': 'python_interpreter'}}]"),
    ("tool-response", "Observation:\nExecution logs:\n2\nLast output from code snippet:\nNone"),
    ("assistant", ANSWER),
    ("tool-response", "Observation:\nExecution logs:\nLast output from code snippet:\n2"),
)


def published(messages: Any = SOLVED, **columns: Any) -> dict[str, Any]:
    return {"question": "What is 1 + 1?", "true_answer": "2", "log_data": json.dumps({"messages": messages}), **columns}


def chat(*turns: tuple[str, str], **columns: Any) -> dict[str, Any]:
    first = [("system", "Be brief."), ("user", "What is 1 + 1?")]
    return {"messages": [{"role": role, "content": text} for role, text in (*first, *turns)], **columns}


def write_lines(path: Path, *rows: Any) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def imported(tmp_path: Path, *rows: Any, **options: Any) -> list[Trajectory]:
    source = write_lines(tmp_path / "rows.jsonl", *rows)
    import_trajectories(source, str(tmp_path / "out"), **{"kind": Kind.MATH, **options})
    return trajectories_from_table(storage.read_folder(str(tmp_path / "out"), TRAJECTORIES))


def test_a_row_of_the_papers_form_becomes_a_trajectory(tmp_path: Path) -> None:
    (trajectory,) = imported(tmp_path, published(score=1), task="math_hard")
    assert (trajectory.question, trajectory.gold_answers, trajectory.answer) == ("What is 1 + 1?", ("2",), "2")
    assert (trajectory.task, trajectory.kind, trajectory.mode) == ("math_hard", Kind.MATH, "agent")
    assert [step.code for step in trajectory.steps] == ["x = 1 + 1\nprint(x)", "final_answer(2)"]
    assert [step.error for step in trajectory.steps] == [None, None]
    assert trajectory.stop_reason is StopReason.FINAL_ANSWER
    assert trajectory.grade == Grade(1.0, True, "imported:score")


def test_messages_are_laid_out_as_in_our_own_records(tmp_path: Path) -> None:
    (trajectory,) = imported(tmp_path, published())
    assert [(message.role, message.content) for message in trajectory.messages] == [
        (Role.SYSTEM, "A long prompt."),
        (Role.USER, "What is 1 + 1?"),
        (Role.ASSISTANT, ADD),
        (Role.USER, "Observation:\nExecution logs:\n2\nLast output from code snippet:\nNone"),
        (Role.ASSISTANT, ANSWER),
    ]


def test_what_smolagents_itself_writes_is_read(tmp_path: Path) -> None:
    try:
        memory, models = (importlib.import_module(f"smolagents.{name}") for name in ("memory", "models"))
        monitoring = importlib.import_module("smolagents.monitoring")
        utils = importlib.import_module("smolagents.utils")
    except ImportError:
        if os.environ.get("CI"):
            raise
        pytest.skip("smolagents is not installed")
    timing = monitoring.Timing(start_time=0.0, end_time=1.0)
    failed = memory.ActionStep(
        step_number=1,
        timing=timing,
        model_output="Thought: t\n<code>\nprint('a')\n1 / 0\n</code>",
        tool_calls=[memory.ToolCall("python_interpreter", "print('a')\n1 / 0", "call_1")],
        observations="Execution logs:\na",
        error=utils.AgentExecutionError("Code execution failed at line '1 / 0'", monitoring.AgentLogger(level=-1)),
    )
    final = memory.ActionStep(
        step_number=2,
        timing=timing,
        model_output=ANSWER,
        tool_calls=[memory.ToolCall("python_interpreter", "final_answer(2)", "call_2")],
        observations="Execution logs:\nLast output from code snippet:\n2",
    )
    steps = [memory.SystemPromptStep("A long prompt."), memory.TaskStep("What is 1 + 1?"), failed, final]
    messages = [models.get_dict_from_nested_dataclasses(item) for step in steps for item in step.to_messages()]
    row = {"log_data": json.dumps({"messages": messages})}
    (trajectory,) = imported(tmp_path, row)
    assert trajectory.question == "What is 1 + 1?"
    assert [step.code for step in trajectory.steps] == ["print('a')\n1 / 0", "final_answer(2)"]
    assert [step.error for step in trajectory.steps] == [ActionError.EXECUTION, None]
    assert trajectory.steps[0].observation.startswith("Execution logs:\na\nError:\nCode execution failed")
    assert (trajectory.answer, trajectory.stop_reason) == ("2", StopReason.FINAL_ANSWER)


@pytest.mark.parametrize(
    "log_data",
    [
        SOLVED,
        json.dumps(SOLVED),
        {"messages": SOLVED, "original_memory": {"steps": []}},
        {"messages": [{**message, "content": message["content"][0]["text"]} for message in SOLVED]},
        {"messages": [{**m, "role": "MessageRole." + m["role"].upper().replace("-", "_")} for m in SOLVED]},
    ],
    ids=["list", "text of a list", "object with more in it", "content as text", "roles as printed"],
)
def test_the_spellings_of_log_data_are_one(tmp_path: Path, log_data: Any) -> None:
    (plain,) = imported(tmp_path, published())
    (trajectory,) = imported(tmp_path, {**published(), "log_data": log_data})
    assert trajectory == plain


def test_without_a_question_column_the_task_is_the_question_without_its_references(tmp_path: Path) -> None:
    messages = smolagents_messages(("assistant", ANSWER), task="Why?\n<reference>a\nhint</reference>")
    (trajectory,) = imported(tmp_path, {"log_data": json.dumps(messages)})
    assert trajectory.question == "Why?"
    assert trajectory.messages[1].content == "Why?"


@pytest.mark.parametrize("header", ["Observation:\n", "Observation: ", ""])
def test_a_chat_with_or_without_headers_is_read(tmp_path: Path, header: str) -> None:
    row = chat(("assistant", ADD), ("user", f"{header}2"), ("assistant", ANSWER), answer="2", correct=True, id=7)
    (trajectory,) = imported(tmp_path, row)
    assert (trajectory.question_id, trajectory.gold_answers) == ("7", ("2",))
    assert [step.observation for step in trajectory.steps] == ["2", ""]
    assert trajectory.messages[3].content == "Observation:\n2"
    assert trajectory.grade == Grade(1.0, True, "imported:correct")


@pytest.mark.parametrize(
    ("written", "observation", "error"),
    [
        (ADD, "2", None),
        (ADD, "Error: ZeroDivisionError: division by zero", ActionError.EXECUTION),
        (ADD, "2\nError: zlib.error: bad", None),
        (ADD, "2\nError: json.JSONDecodeError: bad", ActionError.EXECUTION),
        (ADD, "Error: the code was stopped: it used more memory than the limit.", ActionError.LIMIT),
        (ADD, "Error:\nCode execution failed at line 'x' due to: y", ActionError.EXECUTION),
        (ADD, "Error:\nError in code parsing:\nno blob", ActionError.NO_CODE),
        ("Thought: I wonder.", "Error: no Python code block was found.", ActionError.NO_CODE),
        ("Code:\n```py\n\n```<end_code>", "Error: the code block is empty.", ActionError.EMPTY),
    ],
)
def test_every_step_says_what_was_wrong(
    tmp_path: Path, written: str, observation: str, error: ActionError | None
) -> None:
    (trajectory,) = imported(tmp_path, chat(("assistant", written), ("user", observation), ("assistant", ANSWER)))
    step = trajectory.steps[0]
    assert step.error is error
    assert bool(step.error_message) == (error is not None)


def test_a_printed_error_is_none_where_failures_have_a_response_of_their_own(tmp_path: Path) -> None:
    printed = ("tool-response", "Observation:\nExecution logs:\nError: ValueError was caught")
    messages = smolagents_messages(("assistant", ADD), printed, ("assistant", ANSWER))
    (trajectory,) = imported(tmp_path, published(messages))
    assert trajectory.steps[0].error is None


@pytest.mark.parametrize(
    "turns",
    [
        [("assistant", ADD), ("user", "2")],
        [("assistant", "Code:\n```py\n# final_answer(2)\nx = 'final_answer(2)'\n```<end_code>")],
        [("assistant", ANSWER), ("user", "Error: NameError: no")],
        [("assistant", ADD), ("user", "Error:\nReached max steps.")],
        [("assistant", ANSWER), ("user", "Error:\nReached max steps.")],
        [("assistant", "The answer is 2.")],
    ],
)
def test_without_a_final_answer_that_ran_the_steps_ran_out(tmp_path: Path, turns: list[tuple[str, str]]) -> None:
    (trajectory,) = imported(tmp_path, chat(*turns))
    assert (trajectory.stop_reason, trajectory.answer) == (StopReason.MAX_STEPS, None)


@pytest.mark.parametrize(
    ("columns", "grade"),
    [
        ({}, None),
        ({"score": None}, None),
        ({"score": 0.5}, Grade(0.5, False, "imported:score")),
        ({"score": True}, Grade(1.0, True, "imported:score")),
        ({"correct": False, "score": 1}, Grade(0.0, False, "imported:correct")),
        ({"is_correct": 1}, Grade(1.0, True, "imported:correct")),
    ],
)
def test_the_grade_is_the_rows_or_none(tmp_path: Path, columns: dict[str, Any], grade: Grade | None) -> None:
    (trajectory,) = imported(tmp_path, published(**columns))
    assert trajectory.grade == grade


def test_the_column_answer_is_the_agents_where_another_holds_the_gold_one(tmp_path: Path) -> None:
    (trajectory,) = imported(tmp_path, published(answer="3"))
    assert (trajectory.gold_answers, trajectory.answer) == (("2",), "3")


def test_keys_are_unique_and_repeated_questions_are_counted(tmp_path: Path) -> None:
    again, other = published(), published(question="What is 2 + 2?")
    numbered = [published(id="a"), published(id="a"), published(id="a", question="Why?")]
    trajectories = imported(tmp_path, again, other, again, *numbered)
    assert len({trajectory.key for trajectory in trajectories}) == 6
    assert [trajectory.sample_index for trajectory in trajectories] == [0, 0, 1, 0, 1, 0]
    assert trajectories[0].question_id == trajectories[2].question_id != trajectories[1].question_id
    assert [trajectory.question_id for trajectory in trajectories[3:5]] == ["a", "a"]
    assert trajectories[5].question_id not in ("a", trajectories[0].question_id)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (published() | {"log_data": None}, "log_data is empty"),
        (published() | {"log_data": "{}"}, "log_data is empty"),
        (published() | {"log_data": "{'messages'"}, "log_data is not JSON"),
        (published() | {"log_data": '{"steps": [1]}'}, "messages are not a list"),
        (published(SOLVED[:1] + SOLVED), "more than one system message"),
        (published(SOLVED[:2]), "no assistant message"),
        (published(SOLVED[2:]), "no user message at the beginning"),
        (published(SOLVED[:3] + SOLVED[5:]), "two assistant messages in a row"),
        (published(SOLVED[:2] + SOLVED[1:]), "two user messages before the agent"),
        (published([{"content": "x"}]), "a message without a role"),
        (published([{"role": "critic", "content": "x"}]), "a message with an unknown role"),
        (published([*SOLVED, {"role": "user", "content": None}]), "a message without text"),
        (
            published([*SOLVED, {"role": "user", "content": [{"type": "image"}]}]),
            "a message that is not text (an image?)",
        ),
        (
            published([*SOLVED, {"role": "user", "content": "Now proceed and carry out this plan."}]),
            "a further user message that is no observation",
        ),
        (published(correct="perhaps"), "correct is not true or false"),
        (published(score=7), "score is not a number from 0 to 1"),
    ],
)
def test_a_row_that_cannot_be_read_is_counted_under_its_reason(tmp_path: Path, row: Any, reason: str) -> None:
    source = write_lines(tmp_path / "rows.jsonl", published(), row, published())
    summary = import_trajectories(source, str(tmp_path / "out"), kind=Kind.MATH)
    assert (summary.total, summary.imported, summary.skipped) == (3, 2, {reason: 1})
    assert storage.read_folder(str(tmp_path / "out"), TRAJECTORIES).num_rows == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "file is empty"),
        ("\n\n", "file is empty, expected at least one trajectory"),
        (json.dumps(published()) + "\n{no\n", r"rows.jsonl, line 2: not valid JSON at column 2"),
        ("[1]\n", r"rows.jsonl, line 1: found a JSON list, expected one object a line"),
        (
            '{"question": "q"}\n',
            r"line 1: there is no column 'log_data' \(smolagents\) or 'messages' \(chat\).*question",
        ),
        (json.dumps(published(log_data="")) + "\n", r"none of 1 rows could be imported \(log_data is empty: 1\)"),
    ],
)
def test_a_broken_file_is_refused_and_nothing_is_written(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "rows.jsonl").write_text(text)
    with pytest.raises(DataError, match=message):
        import_trajectories(str(tmp_path / "rows.jsonl"), str(tmp_path / "out"), kind=Kind.MATH)
    assert not list((tmp_path / "out").rglob("*"))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("none.jsonl", "there is no such file"),
        ("rows.txt", r"cannot read a file ending in '\.txt', expected one of \.jsonl, \.ndjson, \.parquet"),
        ("folder.jsonl", "this is a folder"),
        ("torn.parquet", "not a complete Parquet file"),
    ],
)
def test_a_source_that_is_no_file_of_rows_is_refused(tmp_path: Path, source: str, message: str) -> None:
    (tmp_path / "rows.txt").touch()
    (tmp_path / "folder.jsonl").mkdir()
    (tmp_path / "torn.parquet").write_bytes(b"PAR1 and no end")
    with pytest.raises(DataError, match=f"{source}: {message}"):
        import_trajectories(str(tmp_path / source), str(tmp_path / "out"), kind=Kind.MATH)


def test_bytes_that_are_no_text_are_refused_with_their_line(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_bytes(json.dumps(published()).encode() + b'\n{"a": "\xff"}\n')
    with pytest.raises(DataError, match=r"line 2: byte 7 is not UTF-8"):
        import_trajectories(str(tmp_path / "rows.jsonl"), str(tmp_path / "out"), kind=Kind.MATH)


def test_the_named_forms_column_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no column 'messages' in the form chat"):
        imported(tmp_path, published(), form="chat")


def test_the_kind_is_the_rows_own_where_none_is_given(tmp_path: Path) -> None:
    (trajectory,) = imported(tmp_path, published(kind="factual"), kind=None)
    assert trajectory.kind is Kind.FACTUAL
    with pytest.raises(
        DataError,
        match=r"line 1: kind is not given and the column 'kind' is missing, expected .*\(math, factual\)",
    ):
        imported(tmp_path, published(), kind=None)


def test_parquet_and_the_hub_give_the_same_as_json_lines(tmp_path: Path) -> None:
    rows = [published(score=1), published(score=0, question="Why?")]
    (tmp_path / "set").mkdir()
    table = pa.Table.from_pylist(rows)
    pq.write_table(table, tmp_path / "set" / "train.parquet")
    plain = imported(tmp_path, *rows, task="t")
    for number, source in enumerate([str(tmp_path / "set" / "train.parquet"), f"hub:{tmp_path / 'set'}:train"]):
        folder = str(tmp_path / f"out{number}")
        import_trajectories(source, folder, task="t", kind=Kind.MATH)
        read = trajectories_from_table(storage.read_folder(folder, TRAJECTORIES))
        assert [(item.question, item.steps, item.grade) for item in read] == [
            (item.question, item.steps, item.grade) for item in plain
        ]


def test_files_hold_a_bounded_number_of_rows(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    source = write_lines(tmp_path / "rows.jsonl", *[published()] * (ROWS_PER_FILE + 1), published(log_data=None))
    import_trajectories(
        source, str(tmp_path / "out"), kind=Kind.MATH, on_progress=lambda read, kept: seen.append((read, kept))
    )
    sizes = [pq.read_metadata(path).num_rows for path in storage.parquet_files(str(tmp_path / "out"))]
    assert sizes == [ROWS_PER_FILE, 1]
    assert seen == [(ROWS_PER_FILE, ROWS_PER_FILE), (ROWS_PER_FILE + 2, ROWS_PER_FILE + 1)]


def test_the_same_import_again_replaces_the_first_and_a_broken_one_does_not(tmp_path: Path) -> None:
    assert len(imported(tmp_path, published(), published())) == 2
    assert len(imported(tmp_path, published())) == 1
    (tmp_path / "rows.jsonl").write_text(json.dumps(published()) + "\n{no\n")
    with pytest.raises(DataError, match="line 2"):
        import_trajectories(str(tmp_path / "rows.jsonl"), str(tmp_path / "out"), kind=Kind.MATH)
    assert storage.read_folder(str(tmp_path / "out"), TRAJECTORIES).num_rows == 1


def test_a_folder_with_other_trajectories_is_refused(tmp_path: Path) -> None:
    imported(tmp_path, published())
    other = write_lines(tmp_path / "other.jsonl", published())
    with pytest.raises(DataError, match="holds trajectories that do not come from this source"):
        import_trajectories(other, str(tmp_path / "out"), kind=Kind.MATH)


def test_selection_goes_on_from_an_imported_folder(tmp_path: Path) -> None:
    wrong = published(score=0, question="Why?")
    out_of_steps = published(SOLVED[:5], score=1, question="How?")
    imported(tmp_path, published(score=1), wrong, out_of_steps)
    summary = select(str(tmp_path / "out"), str(tmp_path / "set"), str(tmp_path / "funnel.json"), SelectConfig())
    assert (summary.kept, summary.dropped) == (1, {"wrong answer": 1, "no answer: max_steps": 1})
    (example,) = examples_from_table(storage.read_folder(str(tmp_path / "set"), TRAINING_EXAMPLES))
    assert example.messages[0].content == load_prompt("student").render().text
    assert example.messages[-1].content == ANSWER
