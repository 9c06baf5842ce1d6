"""The results of recent queries: agents repeat themselves."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Found:
    """One query's hits as row numbers and scores, best first: some 100 bytes, and no passage."""

    rows: tuple[int, ...]
    scores: tuple[float, ...]


class QueryCache:
    """Keeps the results of the last `size` different queries. For one event loop; not thread-safe."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: OrderedDict[tuple[str, int], Found] = OrderedDict()
        self.hits = 0
        self.misses = 0

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def hit_rate(self) -> float:
        """The share of look-ups that were answered from here, in [0, 1]."""
        asked = self.hits + self.misses
        return self.hits / asked if asked else 0.0

    def get(self, query: str, k: int) -> Found | None:
        found = self._kept.get((query, k))
        if found is None:
            self.misses += 1
            return None
        self.hits += 1
        self._kept.move_to_end((query, k))
        return found

    def put(self, query: str, k: int, found: Found) -> None:
        if not self._size:
            return
        self._kept[query, k] = found
        self._kept.move_to_end((query, k))
        while len(self._kept) > self._size:
            self._kept.popitem(last=False)
