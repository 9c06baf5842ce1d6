"""`agentdistill index search | info` as functions."""

import json

import pytest

from agentdistill.config.retriever import IndexConfig, RetrieverConfig
from agentdistill.errors import DataError
from agentdistill.retrieval.build import build_index
from agentdistill.retrieval.command import index_info, index_search


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "c.jsonl"
    rows = [{"id": name, "title": name, "text": f"{name} is a city."} for name in ("Oslo", "Bern")]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return RetrieverConfig(corpus=str(path), folder=str(tmp_path / "index"), index=IndexConfig(kind="bm25"))


def run(function, *arguments):
    lines = []
    function(*arguments, write=lines.append)
    return "\n".join(lines)


def test_search_prints_passages_with_their_scores(config):
    build_index(config)
    text = run(index_search, config, "Bern", 1)
    assert text.startswith("Doc 1 (Title: Bern)  score ")
    assert "1 passages of 2" in text


def test_info_prints_what_the_index_says_about_itself(config):
    build_index(config)
    text = run(index_info, config.folder)
    assert "kind          bm25" in text
    assert "peak memory" in text


def test_info_of_a_torn_index_is_refused(config, tmp_path):
    build_index(config)
    (tmp_path / "index" / "passages.arrow").write_bytes(b"x")
    with pytest.raises(DataError, match="truncated"):
        run(index_info, config.folder)
