"""An index folder at an fsspec URL is built once, copied once a machine, and checked."""

import fsspec
import pytest
from retrieval_rows import Row

from agentdistill.config.retriever import IndexConfig, RetrieverConfig
from agentdistill.errors import DataError
from agentdistill.retrieval import remote
from agentdistill.retrieval.build import build_index
from agentdistill.retrieval.local import open_index

ROWS = [Row(name, name, f"{name} is a city.") for name in ("Oslo", "Bern", "Rome")]
CONFIG = RetrieverConfig(index=IndexConfig(kind="bm25"))


@pytest.fixture
def url(tmp_path, monkeypatch):
    monkeypatch.setenv("AGENTDISTILL_CACHE", str(tmp_path / "cache"))
    place = f"memory://{tmp_path.name}/index"
    yield place
    system, inner = fsspec.core.url_to_fs(place)
    if system.exists(inner):
        system.rm(inner, recursive=True)


def first(folder, query):
    opened = open_index(folder)
    try:
        return opened.search([query], 1)[0][0].title
    finally:
        opened.close()


def other_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("AGENTDISTILL_CACHE", str(tmp_path / "other"))


def test_an_index_at_a_url_is_opened_from_another_machine(url, tmp_path, monkeypatch):
    assert build_index(CONFIG, ROWS, url).folder == url
    other_machine(tmp_path, monkeypatch)
    assert first(url, "Bern") == "Bern"


def test_it_is_not_built_again_on_another_machine(url, tmp_path, monkeypatch):
    made = build_index(CONFIG, ROWS, url)
    other_machine(tmp_path, monkeypatch)
    assert build_index(CONFIG, ROWS, url).measured == made.measured


def test_another_index_replaces_the_copy(url, tmp_path, monkeypatch):
    build_index(CONFIG, ROWS[:2], url)
    build_index(CONFIG, ROWS, url)
    other_machine(tmp_path, monkeypatch)
    assert first(url, "Rome") == "Rome"


def test_a_torn_remote_file_is_named(url, tmp_path, monkeypatch):
    build_index(CONFIG, ROWS, url)
    other_machine(tmp_path, monkeypatch)
    with fsspec.open(f"{url}/passages.arrow", "wb") as out:
        out.write(b"torn")
    with pytest.raises(DataError, match=r"passages\.arrow: 4 bytes"):
        open_index(url)
    assert not remote.copy_of(url).exists()


def test_a_missing_remote_file_is_named(url, tmp_path, monkeypatch):
    build_index(CONFIG, ROWS, url)
    other_machine(tmp_path, monkeypatch)
    fsspec.core.url_to_fs(url)[0].rm(fsspec.core.url_to_fs(f"{url}/passages.arrow")[1])
    with pytest.raises(DataError, match=r"passages\.arrow: this file of the index is missing"):
        open_index(url)


def test_a_url_without_an_index_is_named(url):
    with pytest.raises(DataError, match="there is no index here"):
        open_index(url)
