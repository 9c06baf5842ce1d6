"""Forms of one's own, and our trajectories in a form that others read."""

import json
from pathlib import Path

import pytest
from trajectories import STEP, make_step, make_trajectory

from agentdistill import storage
from agentdistill.errors import ConfigError, DataError
from agentdistill.schema import TRAJECTORIES, trajectories_from_table, trajectories_to_table
from agentdistill.traces.exporting import export_trajectories
from agentdistill.traces.importing import import_trajectories
from agentdistill.types import Grade, Kind, Message, Role, StopReason, Trajectory

ANSWER = "Thought: Done.\nCode:\n```py\nfinal_answer(2)\n```<end_code>"
FORM = "own_parts:pairs"


def stored(folder: Path, *trajectories: Trajectory) -> str:
    storage.write_table(str(folder / "t" / "a.parquet"), trajectories_to_table(trajectories))
    return str(folder / "t")


def imported(source: Path, folder: Path, **options) -> list[Trajectory]:
    import_trajectories(str(source), str(folder), **options)
    return trajectories_from_table(storage.read_folder(str(folder), TRAJECTORIES))


def test_what_is_exported_as_a_chat_is_imported_again(tmp_path: Path) -> None:
    steps = (STEP, make_step("Done.", "final_answer(2)", ""))
    wrong = make_trajectory(sample_index=1, steps=steps, answer="2", grade=Grade(0.0, False, "m"), kind=Kind.FACTUAL)
    ungraded = make_trajectory(question_id="q2", question="What\u2028is 1?", steps=steps, answer="2", grade=None)
    failed = make_trajectory(question_id="q3", stop_reason=StopReason.ENGINE_ERROR)
    target = tmp_path / "out" / "chat.jsonl"

    assert export_trajectories(stored(tmp_path, wrong, failed, ungraded), str(target)) == 2
    again = imported(target, tmp_path / "back", task="test")
    asked = Message(Role.USER, ungraded.question)
    assert [item.messages for item in again] == [wrong.messages, (*wrong.messages[:1], asked, *wrong.messages[2:])]
    for ours, theirs in zip((wrong, ungraded), again, strict=True):
        for name in ("question_id", "question", "gold_answers"):
            assert getattr(theirs, name) == getattr(ours, name)
        assert (theirs.kind, theirs.answer, theirs.model) == (ours.kind, ours.answer, ours.model)
        assert (theirs.grade and theirs.grade.correct) == (ours.grade and ours.grade.correct)
        assert theirs.stop_reason is StopReason.FINAL_ANSWER


def test_a_form_of_ones_own_is_read_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(
        "".join(json.dumps(row) + "\n" for row in ({"pair": ["1 + 1?", ANSWER]}, {"pair": 3}))
    )
    summary = import_trajectories(str(tmp_path / "a.jsonl"), str(tmp_path / "o"), form=FORM, kind=Kind.MATH)
    (trajectory,) = trajectories_from_table(storage.read_folder(str(tmp_path / "o"), TRAJECTORIES))
    assert (trajectory.question, trajectory.answer) == ("1 + 1?", "2")
    assert summary.skipped == {"its form raised TypeError": 1}


def test_a_row_that_does_not_fit_its_form_and_an_unknown_form_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("{}\n")
    with pytest.raises(DataError, match="there is no column 'pair' in the form own_parts:pairs"):
        imported(tmp_path / "a.jsonl", tmp_path / "o", form=FORM)
    with pytest.raises(ConfigError, match=r"format 'chatt': there is none of that name; expected .*did you mean chat"):
        imported(tmp_path / "a.jsonl", tmp_path / "o", form="chatt")


def test_an_export_that_cannot_be_leaves_no_file(tmp_path: Path) -> None:
    target = tmp_path / "out.jsonl"
    for folder, form, error, message in (
        (stored(tmp_path, make_trajectory()), FORM, ConfigError, "can be read only, expected one with write"),
        (str(tmp_path / "none"), "chat", DataError, "there is no trajectory to export"),
    ):
        with pytest.raises(error, match=message):
            export_trajectories(folder, str(target), form)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["t"]


def test_a_form_that_raises_or_reads_nothing_is_named(tmp_path: Path) -> None:
    source = tmp_path / "a.jsonl"
    source.write_text('{"pair": 3}\n')
    with pytest.raises(DataError, match=r"a.jsonl.*the form own_parts:broken_form raised KeyError in fits\(row\)"):
        import_trajectories(str(source), str(tmp_path / "o"), form="own_parts:broken_form", kind=Kind.MATH)
    with pytest.raises(DataError, match=r"its form read a NoneType, expected a Conversation: 1"):
        import_trajectories(str(source), str(tmp_path / "o"), form="own_parts:empty_form", kind=Kind.MATH)
