"""What a query may be: agents write them, so anything."""

from __future__ import annotations

from agentdistill.errors import UserError

#: No encoder here reads more; a longer query is searched by its start, like a longer passage.
MAX_QUERY_CHARS = 8_192


def clean_query(query: object) -> str:
    """Return the query as text that tokenizers accept; empty where there is nothing to search for.

    NUL becomes a space and lone surrogates a question mark: both occur in what models write, neither carries meaning.
    Raises UserError where it is not a string.
    """
    if not isinstance(query, str):
        raise UserError(f"query {query!r}: {type(query).__name__}, expected a string")
    text = query[:MAX_QUERY_CHARS].replace("\0", " ")
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode("utf-8")
    return text.strip()


def check_k(k: object) -> int:
    """Return k. Raises UserError unless it is a whole number of at least 1."""
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise UserError(f"k is {k!r}, expected a whole number of at least 1")
    return k
