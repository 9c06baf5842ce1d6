"""Files appear whole or not at all, locally and on another fsspec filesystem."""

import errno
import os
from pathlib import Path

import fsspec.implementations.local as local
import pyarrow as pa
import pytest
from fsspec.registry import known_implementations

from agentdistill import storage
from agentdistill.errors import DataError, MissingPartError, RunFolderError
from agentdistill.schema import QUESTIONS, TRAJECTORIES, questions_from_table, questions_to_table
from agentdistill.types import Kind, Question

QUESTION = Question("q1", "Größe?", ("1", "one"), Kind.MATH, "test", {"level": "2"})


def test_a_table_comes_back_as_it_was_written(tmp_path: Path) -> None:
    path = str(tmp_path / "a" / "questions.parquet")
    storage.write_table(path, questions_to_table([QUESTION]))
    assert questions_from_table(storage.read_table(path, QUESTIONS)) == [QUESTION]
    assert os.listdir(tmp_path / "a") == ["questions.parquet"]


def test_it_works_on_any_fsspec_url() -> None:
    path = "memory://storage-test/questions.parquet"
    storage.write_table(path, questions_to_table([QUESTION]))
    assert storage.parquet_files("memory://storage-test") == [path]
    assert questions_from_table(storage.read_folder("memory://storage-test", QUESTIONS)) == [QUESTION]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "file.txt")
    storage.write_text(path, "old")

    class FullDisk(local.LocalFileOpener):
        def write(self, *args: object) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(local, "LocalFileOpener", FullDisk)
    with pytest.raises(RunFolderError, match=r"file\.txt: cannot write: no space left on the device"):
        storage.write_text(path, "new")
    assert os.listdir(tmp_path) == ["file.txt"]
    assert Path(path).read_text() == "old"


def test_a_torn_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "torn.parquet"
    storage.write_table(str(path), questions_to_table([QUESTION]))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"torn\.parquet: not a complete Parquet file"):
        storage.read_table(str(path), QUESTIONS)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = str(tmp_path / "questions.parquet")
    storage.write_table(path, questions_to_table([QUESTION]))
    with pytest.raises(DataError, match=r"agentdistill\.schema = questions, expected trajectories"):
        storage.read_table(path, TRAJECTORIES)


def test_a_file_of_another_version_is_refused(tmp_path: Path) -> None:
    table = questions_to_table([QUESTION])
    older = table.replace_schema_metadata({**(table.schema.metadata or {}), b"agentdistill.version": b"0"})
    storage.write_table(str(tmp_path / "q.parquet"), older)
    with pytest.raises(DataError, match=r"version = 0, expected 1"):
        storage.read_table(str(tmp_path / "q.parquet"), QUESTIONS)


def test_a_folder_that_is_not_there_reads_as_empty(tmp_path: Path) -> None:
    assert storage.read_folder(str(tmp_path / "none"), QUESTIONS).num_rows == 0
    assert isinstance(storage.read_folder(str(tmp_path / "none"), QUESTIONS, ["id"]), pa.Table)


def test_what_an_interrupted_writer_left_is_no_data_and_can_be_removed(tmp_path: Path) -> None:
    (tmp_path / f"{storage.TEMPORARY_PREFIX}abc").write_bytes(b"half")
    assert storage.parquet_files(str(tmp_path)) == []
    assert storage.remove_temporary(str(tmp_path)) == 1
    assert os.listdir(tmp_path) == []


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RunFolderError, match="cannot create this folder"):
        storage.make_folder(str(tmp_path / "file" / "below"))


def test_storage_that_nobody_knows_or_has_installed_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match=r"^foo://x/a.json: Protocol not known: foo; expected a path, or a URL that"):
        storage.read_json("foo://x/a.json")
    absent = {"class": "no_such_package.files.System", "err": "Install no_such_package"}
    monkeypatch.setitem(known_implementations, "absent", absent)
    with pytest.raises(MissingPartError, match=r"^absent://x: .* is not installed: Install no_such_package"):
        storage.exists("absent://x")
