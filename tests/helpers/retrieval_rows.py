"""A corpus of a dozen passages for the tests of retrieval."""

from dataclasses import dataclass

CITIES = ["Oslo", "Bergen", "Paris", "Lyon", "Madrid", "Seville", "Rome", "Milan", "Vienna", "Graz", "Bern", "Basel"]


@dataclass(frozen=True)
class Row:
    id: str
    title: str
    text: str


ROWS = [Row(str(i), city, f"{city} is a city. It has {i + 2} bridges.") for i, city in enumerate(CITIES)]
