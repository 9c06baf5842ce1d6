"""Keyword search: BM25 (Lucene's variant, as bm25s computes it) over title and text."""

from __future__ import annotations

import functools
import re
from array import array
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from agentdistill.errors import DataError
from agentdistill.retrieval.corpus import contents
from agentdistill.retrieval.hits import Hits
from agentdistill.retrieval.manifest import IndexInfo
from agentdistill.retrieval.store import PassageStore

FOLDER = "bm25"
KINDS = ("bm25", "hybrid")
#: Of `tokenize`, raised with every change of what it makes of a text: an index of another version is not searched.
TOKENIZER = 2

_WORD = re.compile(r"\w+")


def tokenize(text: str) -> list[str]:
    """The words of a text in lower case, those of one letter and numbers included, without English stop words."""
    stop_words = _stop_words()
    return [word for word in _WORD.findall(text.lower()) if word not in stop_words]


@functools.cache
def _stop_words() -> frozenset[str]:
    from bm25s.stopwords import STOPWORDS_EN

    return frozenset(STOPWORDS_EN)


def check_tokenizer(info: IndexInfo) -> None:
    """Raises DataError where the index has keywords that another tokenizer cut: its words would not be found."""
    if info.kind in KINDS and info.tokenizer != TOKENIZER:
        raise DataError(
            f"{info.folder}: its keywords were cut by version {info.tokenizer} of the tokenizer, expected "
            f"{TOKENIZER}; build the index again"
        )


def build_keyword(passages: PassageStore, folder: Path) -> list[str]:
    """Index all passages into `folder`/bm25; return the names of the files written, relative to `folder`.

    Token numbers of the whole corpus are in memory while it runs: 4 bytes a token, and as much again a few times over
    for the sparse matrix.
    """
    import bm25s

    vocabulary: dict[str, int] = {}
    token_ids = [
        array("i", [vocabulary.setdefault(word, len(vocabulary)) for word in tokenize(text)])
        for text in _texts(passages)
    ]
    # Of stop words alone, a corpus has no word; the library asks for one.
    index = bm25s.BM25()
    with np.errstate(invalid="ignore"):  # it divides by the mean length, which is 0 then
        index.index((token_ids, vocabulary or {"": 0}), show_progress=False)
    index.save(str(folder / FOLDER), show_progress=False)
    return sorted(f"{FOLDER}/{path.name}" for path in (folder / FOLDER).iterdir())


class KeywordIndex:
    """BM25 at search, its matrix memory-mapped. A query's cost grows with the corpus: one score a passage."""

    def __init__(self, folder: Path, count: int) -> None:
        """Raises DataError where the files are torn or of another corpus."""
        import bm25s

        try:
            self._index = bm25s.BM25.load(str(folder / FOLDER), mmap=True, show_progress=False)
        except (OSError, ValueError, EOFError, KeyError) as error:
            raise DataError(f"{folder / FOLDER}: not a complete keyword index: {error}") from error
        held = self._index.scores["num_docs"]
        if held != count:
            raise DataError(f"{folder / FOLDER}: {held} passages, the manifest says {count}; build the index again")

    def search(self, queries: list[str], k: int) -> Hits:
        """The k best rows of each query that share a word with it; fewer, or none, where too few do."""
        hits = Hits.none(len(queries), k)
        for place, query in enumerate(queries):
            known = self._index.get_tokens_ids(tokenize(query))
            if known:
                rows, scores = _best(self._index.get_scores_from_ids(known), k)
                hits.rows[place, : len(rows)], hits.scores[place, : len(rows)] = rows, scores
        return hits


def _best(scores: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    k = min(k, len(scores))
    rows = np.argpartition(scores, len(scores) - k)[len(scores) - k :]
    rows = rows[np.lexsort((rows, -scores[rows]))]
    rows = rows[scores[rows] > 0]
    return rows, scores[rows]


def _texts(passages: PassageStore) -> Iterator[str]:
    for _, title, text in passages.scan(0, len(passages)):
        yield contents(title, text)
