"""Keyword search: BM25 (Lucene's variant, as bm25s computes it) over title and text."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from agentdistill.errors import DataError
from agentdistill.retrieval.corpus import contents
from agentdistill.retrieval.hits import Hits
from agentdistill.retrieval.store import PassageStore

FOLDER = "bm25"


def build_keyword(passages: PassageStore, folder: Path) -> list[str]:
    """Index all passages into `folder`/bm25; return the names of the files written, relative to `folder`.

    Token numbers of the whole corpus are in memory while it runs: 4 bytes a token, and as much again a few times over
    for the sparse matrix.
    """
    import bm25s
    from bm25s.tokenization import Tokenizer

    tokenizer = Tokenizer(stopwords="english")
    stream = tokenizer.streaming_tokenize(_texts(passages), update_vocab=True, allow_empty=False)
    token_ids = [array("i", ids) for ids in stream]
    index = bm25s.BM25()
    index.index((token_ids, tokenizer.get_vocab_dict()), show_progress=False)
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
        import bm25s

        hits = Hits.none(len(queries), k)
        tokens = bm25s.tokenize(queries, stopwords="english", return_ids=False, show_progress=False, allow_empty=False)
        for place, words in enumerate(tokens):
            known = self._index.get_tokens_ids(words) if words else []
            if len(known):
                rows, scores = _best(self._index.get_scores_from_ids(list(known)), k)
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
