"""`agentdistill index build | search | info` as functions."""

import json

import pytest

from agentdistill.config.retriever import IndexConfig, RetrieverConfig
from agentdistill.errors import DataError
from agentdistill.retrieval.command import Progress, index_build, index_info, index_search


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


def test_build_says_what_it_will_do_and_where_the_output_is(config):
    text = run(index_build, config)
    assert text.startswith(f"Builds the bm25 index of {config.corpus} into {config.folder}")
    assert f"The index is in {config.folder}" in text
    assert "peak memory" in text


def test_search_prints_passages_with_their_scores(config):
    run(index_build, config)
    text = run(index_search, config, "Bern", 1)
    assert text.startswith("Doc 1 (Title: Bern)  score ")
    assert "1 passages of 2" in text


def test_info_prints_what_build_printed(config):
    built = run(index_build, config)
    assert run(index_info, config.folder) in built


def test_info_of_a_torn_index_is_refused(config, tmp_path):
    run(index_build, config)
    (tmp_path / "index" / "passages.arrow").write_bytes(b"x")
    with pytest.raises(DataError, match="truncated"):
        run(index_info, config.folder)


def test_progress_says_counts_and_what_is_left():
    lines = []
    progress = Progress(lines.append, every_s=0.0)
    progress("encoding passages", 0, 100)
    progress("encoding passages", 40, 100)
    progress("encoding passages", 100, 100)
    assert lines[0] == "encoding passages: 0 of 100"
    assert lines[1].startswith("encoding passages: 40 of 100, ")
    assert lines[2].endswith("0 s left")
