"""Keyword search answers any query, finds words of one letter, and refuses an index of another tokenizer."""

import json

import pytest
from retrieval_rows import CITIES, ROWS, Row

from agentdistill.config.retriever import IndexConfig, RetrieverConfig
from agentdistill.errors import DataError
from agentdistill.retrieval.build import build_index
from agentdistill.retrieval.local import open_index
from agentdistill.retrieval.service import retriever_app

SHORT = [
    Row("1", "Vitamin C", "Vitamin C is an acid in oranges."),
    Row("2", "Vitamin D", "Vitamin D comes with sunlight."),
    Row("3", "Apollo 8", "Apollo 8 went around the Moon."),
    Row("4", "Apollo 11", "Apollo 11 landed on the Moon."),
    Row("5", "π", "π is a number near 3."),
    Row("6", "日", "日 means sun or day."),
]
KINDS = ["bm25", "hybrid"]


def config(kind):
    return RetrieverConfig(index=IndexConfig(kind=kind, recall_queries=0))


def opened_at(folder, kind, rows):
    build_index(config(kind), rows, folder / "index")
    return open_index(folder / "index")


@pytest.fixture(scope="module", params=KINDS)
def cities(request, tmp_path_factory):
    rows = [Row(city, city, f"{city} is a city.") for city in CITIES]
    retriever = opened_at(tmp_path_factory.mktemp(request.param), request.param, rows)
    yield retriever
    retriever.close()


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    retriever = opened_at(tmp_path_factory.mktemp("short"), "bm25", SHORT)
    yield retriever
    retriever.close()


@pytest.mark.parametrize(
    "query",
    ["3", "C", "?!", "π", "日", "a", "the of and", ".", "…", "_", "é", "\u0301", "x y z", "٣", "👍", "C++", "0"],
)
def test_a_query_that_finds_no_word_fails_neither_itself_nor_its_batch(cities, query):
    first, odd, last = cities.search(["Oslo", query, "Madrid"], 2)
    assert (first[0].title, last[0].title) == ("Oslo", "Madrid")
    assert len(odd) == (0 if cities.info.kind == "bm25" else 2)  # what is near by its vector is there in any case


@pytest.mark.parametrize(
    ("query", "title"),
    [("vitamin C", "Vitamin C"), ("vitamin d", "Vitamin D"), ("Apollo 8", "Apollo 8"), ("Apollo 11", "Apollo 11"),
     ("π", "π"), ("日", "日"), ("3", "π")],
)  # fmt: skip
def test_words_of_one_letter_and_numbers_are_words(short, query, title):
    assert short.search([query], 1)[0][0].title == title


@pytest.mark.parametrize("text", ["the of and", "?!", "A is the"])
def test_a_corpus_without_any_word_is_built_and_finds_nothing(tmp_path, text):
    build_index(config("bm25"), [Row(str(i), "", text) for i in range(3)], tmp_path / "index")
    opened = open_index(tmp_path / "index")
    assert opened.search(["the", "Oslo", "?"], 2) == [[], [], []]
    opened.close()


def test_a_corpus_of_one_passage_is_found(tmp_path):
    build_index(config("bm25"), [Row("1", "", "x")], tmp_path / "index")
    opened = open_index(tmp_path / "index")
    assert [[passage.id for passage in found] for found in opened.search(["x", "y"], 3)] == [["1"], []]
    opened.close()


def make_older(folder):
    """As an index of the first tokenizer left it: its manifest says nothing of one."""
    path = folder / "manifest.json"
    value = json.loads(path.read_text())
    value.pop("tokenizer", None)
    path.write_text(json.dumps(value | {"key": "of the first tokenizer"}))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("use", [open_index, retriever_app])
def test_an_index_of_another_tokenizer_is_refused(tmp_path, kind, use):
    build_index(config(kind), ROWS, tmp_path / "index")
    make_older(tmp_path / "index")
    with pytest.raises(DataError, match=r"index: its keywords were cut by version 0 .* expected 2; build the index"):
        use(tmp_path / "index")


def test_building_again_makes_an_index_of_another_tokenizer_anew(tmp_path):
    build_index(config("bm25"), ROWS, tmp_path / "index")
    make_older(tmp_path / "index")
    build_index(config("bm25"), ROWS, tmp_path / "index")
    opened = open_index(tmp_path / "index")
    assert opened.search(["Oslo"], 1)[0][0].title == "Oslo"
    opened.close()


def test_an_index_of_vectors_alone_has_no_tokenizer_to_agree_with(tmp_path):
    build_index(config("flat"), ROWS, tmp_path / "index")
    path = tmp_path / "index" / "manifest.json"
    value = json.loads(path.read_text())
    value.pop("tokenizer", None)
    path.write_text(json.dumps(value))
    opened = open_index(tmp_path / "index")
    assert opened.search(["Oslo"], 1)[0][0].title == "Oslo"
    opened.close()
