"""The agent's search tool."""

import pytest

from agentdistill.errors import RetrieverError, UserError
from agentdistill.retrieval.tool import format_passages, search_tool, shorten
from agentdistill.types import Passage

OSLO = Passage("1", "Oslo", "Oslo is the capital of Norway.", 0.9)
BERGEN = Passage("2", "Bergen", "Bergen is a city in Norway.", 0.8)


def scripted(passages):
    asked = []

    async def search(queries, k):
        asked.append((queries, k))
        return [passages[:k] for _ in queries]

    return search, asked


async def test_passages_come_as_numbered_blocks():
    search, asked = scripted([OSLO, BERGEN])
    assert await search_tool(search, k=2)("capital of Norway") == (
        "Doc 1 (Title: Oslo)\nOslo is the capital of Norway.\n\nDoc 2 (Title: Bergen)\nBergen is a city in Norway."
    )
    assert asked == [(["capital of Norway"], 2)]


async def test_no_hits_are_said_in_words():
    search, _ = scripted([])
    assert await search_tool(search)("zzz") == "No passage was found for this query: zzz"


@pytest.mark.parametrize("query", ["", "  \n", "\0"])
async def test_an_empty_query_is_said_in_words_and_not_searched(query):
    search, asked = scripted([OSLO])
    assert "The query is empty" in await search_tool(search)(query)
    assert asked == []


async def test_a_retriever_that_is_down_raises():
    async def search(queries, k):
        raise RetrieverError("the retriever is down")

    with pytest.raises(RetrieverError, match="down"):
        await search_tool(search)("Oslo")


async def test_a_query_that_is_no_text_raises():
    search, _ = scripted([OSLO])
    with pytest.raises(UserError, match="expected a string"):
        await search_tool(search)(7)


def test_k_is_checked_when_the_tool_is_made():
    search, _ = scripted([])
    with pytest.raises(UserError, match="k is 0"):
        search_tool(search, k=0)


def test_the_tool_is_called_search():
    search, _ = scripted([])
    assert search_tool(search).__name__ == "search"


def test_each_passage_is_cut_at_its_limit():
    long = Passage("1", "A\nB", "word " * 100, 1.0)
    header, text = format_passages([long], 50).split("\n")
    assert header == "Doc 1 (Title: A B)"
    assert len(text) <= 50
    assert text.endswith("word ...")


@pytest.mark.parametrize("chars", [0, 1, 3, 4, 5, 10])
def test_a_cut_never_exceeds_the_limit(chars):
    assert len(shorten("x" * 30, chars)) <= chars


def test_a_passage_without_title_says_so():
    assert format_passages([Passage("1", " ", "text", 1.0)], 50).startswith("Doc 1 (Title: untitled)\n")
