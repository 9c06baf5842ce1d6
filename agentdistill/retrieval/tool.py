"""The agent's tool: one query in, numbered passages out, as text."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from agentdistill.retrieval.queries import check_k, clean_query
from agentdistill.types import Passage, Search

CUT_MARK = " ..."


def search_tool(search: Search, k: int = 3, passage_chars: int = 1_200) -> Callable[[str], Awaitable[str]]:
    """Return the function `search(query) -> str` that an agent's code calls.

    Its text is one block a passage, `Doc 1 (Title: Oslo)` and the passage below it, cut at `passage_chars`; or a
    sentence where nothing was found. RetrieverError and BusyError pass through: a retriever that is down must not look
    like one that found nothing.
    """
    check_k(k)

    async def search_passages(query: str) -> str:
        text = clean_query(query)
        if not text:
            return "The query is empty: nothing was searched. Write what to look for."
        passages = (await search([text], k))[0]
        if not passages:
            return f"No passage was found for this query: {shorten(text, 200)}"
        return format_passages(passages, passage_chars)

    search_passages.__name__ = search_passages.__qualname__ = "search"
    search_passages.__doc__ = (
        f"Search the knowledge base; returns the {k} passages that fit the query best, as numbered blocks."
    )
    return search_passages


def format_passages(passages: list[Passage], passage_chars: int) -> str:
    """Numbered `Doc i (Title: ...)` blocks, a blank line between them, each passage's text within `passage_chars`."""
    blocks = []
    for number, passage in enumerate(passages, start=1):
        title = " ".join(passage.title.split()) or "untitled"
        blocks.append(f"Doc {number} (Title: {title})\n{shorten(passage.text.strip(), passage_chars)}")
    return "\n\n".join(blocks)


def shorten(text: str, chars: int) -> str:
    """The text within `chars` characters; a cut is marked, and made at a space where one is near."""
    if len(text) <= chars:
        return text
    room = max(chars - len(CUT_MARK), 0)
    cut = text[:room]
    space = cut.rfind(" ")
    if space > room * 0.8:
        cut = cut[:space]
    return (cut.rstrip() + CUT_MARK)[:chars]
