"""Trajectories that were stored in version 1 read as they did, and go on as trajectories of version 2."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from trajectories import make_step, make_trajectory

from agentdistill import storage
from agentdistill.agent import CHAIN_OF_THOUGHT, THOUGHT_CODE
from agentdistill.errors import DataError
from agentdistill.evaluate.episodes import EPISODE_COLUMNS, EpisodeFacts
from agentdistill.rollout import compact, take_inventory
from agentdistill.schema import TRAJECTORIES, trajectories_from_table, trajectories_to_table, trajectory_to_row
from agentdistill.storage import STEP
from agentdistill.types import PartKind, Trajectory

_OPENING = [{"role": "system", "content": "A long prompt."}, {"role": "user", "content": "What is 1?"}]


def message(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def v1_step(text: str, thought: str, code: str, observation: str = "") -> dict[str, Any]:
    """A step as version 1 stored it, in the fields that it always had."""
    counts = {"num_prompt_tokens": 7, "num_completion_tokens": 3, "num_tool_calls": 0}
    seconds = {"generation_s": 0.5, "sandbox_s": 0.25, "tools_s": 0.0}
    texts = {"text": text, "thought": thought, "code": code, "observation": observation, "error_message": ""}
    return {**texts, **counts, **seconds, "error": None, "token_ids": [1, 2], "candidates": []}


def v1_row(*steps: dict[str, Any], mode: str = "agent", **changes: Any) -> dict[str, Any]:
    row = trajectory_to_row(make_trajectory(mode=mode))
    row = {name: value for name, value in row.items() if name not in ("opening", "protocol", "steps")}
    messages = list(_OPENING)
    for step in steps:
        messages.append(message("assistant", step["text"]))
        if step["observation"]:
            messages.append(message("user", f"Observation:\n{step['observation']}"))
    names = ("num_prompt_tokens", "num_completion_tokens", "num_tool_calls")
    sums = {name: sum(step[name] for step in steps) for name in names}
    return {**row, **sums, "messages": messages, "steps": list(steps), **changes}


def write_v1(path: Path, *rows: dict[str, Any]) -> str:
    metadata = {b"agentdistill.schema": b"trajectories", b"agentdistill.version": b"1"}
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(list(rows)).replace_schema_metadata(metadata), path)
    return str(path)


def told(row: Any, asked: Any) -> Any:
    """What `asked` has, of a row that may tell more."""
    if isinstance(asked, dict) and isinstance(row, dict):
        return {name: told(row[name], value) for name, value in asked.items()}
    if isinstance(asked, list) and isinstance(row, list):
        return [told(item, value) for item, value in zip(row, asked, strict=True)]
    return row


def read(path: str) -> list[Trajectory]:
    return trajectories_from_table(storage.read_table(path, TRAJECTORIES))


TURNS = [
    ("Thought: t\nCode:\n```py\np\n```<end_code>", "t", "p"),  # both stand elsewhere in the text too
    ("Thought: add\nCode:\n```py\nfinal_answer(1 + 1)\n```<end_code>", "add", "final_answer(1 + 1)"),
    ("Thought: x\n```py\na = 1\n\nb = 2\n```\nthen\n```py\nc = 3\n```<end_code>", "x", "a = 1\n\nb = 2\n\nc = 3"),
    ("Thought: one\nCode:\nx = 1\nprint(x)", "one", "x = 1\nprint(x)"),
    ("final_answer('ü')", "", "final_answer('ü')"),
    ("It is 42.", "It is 42.", ""),
    ("<think>a draft</think>\nThought: so\n```py\n1\n```", "so", "1"),
    ("", "", ""),
]


@pytest.mark.parametrize(("text", "thought", "code"), TURNS)
def test_thought_and_code_are_found_where_the_protocol_finds_them(
    tmp_path: Path, text: str, thought: str, code: str
) -> None:
    (row,) = read(write_v1(tmp_path / "a.parquet", v1_row(v1_step(text, thought, code, "1"))))
    (step,) = row.steps
    assert (step.text, step.thought, step.code, step.observation) == (text, thought, code, "1")
    assert (step.thought_text, step.code_text) == (None, None)
    drafts = (PartKind.REASONING,)  # only a protocol can tell them
    assert step.parts == tuple(part for part in THOUGHT_CODE.read(text).parts if part.kind not in drafts)


@pytest.mark.parametrize(
    ("text", "thought", "code"),
    [
        ("Code:\nx = 1<end_code>\nprint(x)", "", "x = 1\nprint(x)"),  # the tag was cut out
        ("Thought: a <think>b</think> c\n```py\n1\n```", "a                  c", "1"),
        ("```py\n1\n```", "", "1\n\n"),
        ("It is 42.", "", "not there at all"),
    ],
)
def test_what_does_not_stand_in_the_text_reads_as_it_was_stored(
    tmp_path: Path, text: str, thought: str, code: str
) -> None:
    path = write_v1(tmp_path / "a.parquet", v1_row(v1_step(text, thought, code)))
    (row,) = read(path)
    assert (row.steps[0].thought, row.steps[0].code) == (thought, code)
    assert trajectories_from_table(trajectories_to_table([row])) == [row]


def test_a_chain_of_thought_keeps_its_answer(tmp_path: Path) -> None:
    text = "2 or 3?\nIt is \\boxed{2}, not 22."
    (row,) = read(write_v1(tmp_path / "a.parquet", v1_row(v1_step(text, text, ""), mode="cot", answer="2")))
    assert row.protocol == "chain_of_thought"
    assert row.steps[0].parts == CHAIN_OF_THOUGHT.read(text).parts


@pytest.mark.parametrize(("role", "header"), [("user", "Observation:\n"), ("user", ""), ("system", "Result: ")])
def test_the_conversation_is_the_one_that_was_stored(tmp_path: Path, role: str, header: str) -> None:
    step = v1_step(*TURNS[0], "1")
    row = v1_row(step)
    row["messages"][-1] = message(role, f"{header}1")
    (found,) = read(write_v1(tmp_path / "a.parquet", row))
    assert [message(str(item.role), item.content) for item in found.messages] == row["messages"]
    assert len(found.opening) == 2


def test_messages_that_are_not_those_of_the_steps_are_refused_with_file_and_question(tmp_path: Path) -> None:
    row = v1_row(v1_step(*TURNS[0], "1"))
    row["messages"][2]["content"] = "something else"
    with pytest.raises(DataError, match=r"a\.parquet: the messages of q1, sample 0, are not those of its steps"):
        read(write_v1(tmp_path / "a.parquet", row))


def test_some_columns_can_be_read_of_either_version(tmp_path: Path) -> None:
    old = write_v1(tmp_path / "old.parquet", v1_row(v1_step(*TURNS[1], "1")))
    new = str(tmp_path / "new.parquet")
    storage.write_table(new, trajectories_to_table(read(old)))
    whole = [f"{STEP}text", f"{STEP}parts", f"{STEP}thought_text", f"{STEP}code_text", f"{STEP}observation"]
    for columns in (whole, ["answer", f"{STEP}error"], ["opening"], ["protocol", "answer"], EPISODE_COLUMNS):
        one, other = (storage.read_columns(path, TRAJECTORIES, columns).to_pylist() for path in (old, new))
        assert len(one) == len(other) == 1
        assert told(one[0], other[0]) == other[0]
    (row,) = storage.read_columns(old, TRAJECTORIES, EPISODE_COLUMNS).to_pylist()
    assert EpisodeFacts.from_row(row) == EpisodeFacts.of(read(old)[0])


def test_a_folder_of_both_versions_is_compacted_into_the_newest(tmp_path: Path) -> None:
    write_v1(tmp_path / "t" / "part-1.parquet", v1_row(v1_step(*TURNS[1])))
    new = make_trajectory(question_id="q2", steps=(make_step(),))
    storage.write_table(str(tmp_path / "t" / "part-2.parquet"), trajectories_to_table([new]))
    assert take_inventory(str(tmp_path / "t")).finished == {("q1", 0), ("q2", 0)}
    compact(str(tmp_path / "t"))
    (path,) = storage.parquet_files(str(tmp_path / "t"))
    stored = pq.read_table(path).schema
    assert stored.equals(TRAJECTORIES)
    assert stored.metadata == TRAJECTORIES.metadata
    assert read(path)[1] == new
