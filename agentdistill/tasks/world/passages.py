"""The passages that the built-in task is answered from: one a country, one a city."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from agentdistill.tasks.world.facts import City, Country, world


@dataclass(frozen=True, slots=True)
class CorpusRow:
    """One passage, as every corpus has it."""

    id: str
    title: str
    text: str


def corpus() -> Iterator[CorpusRow]:
    """Every passage, countries first; ids are "world-0", "world-1", ..., the same on every machine."""
    facts = world()
    texts = [(country.title, country_passage(country)) for country in facts.countries.values()]
    texts += [(city.title, city_passage(city)) for city in facts.cities.values()]
    for index, (title, text) in enumerate(texts):
        yield CorpusRow(f"world-{index}", title, text)


def country_passage(country: Country) -> str:
    """The facts of a country in plain sentences; numbers have no thousands separators, so code can read them."""
    capital = f" Its capital is {country.capital}." if country.capital else ""
    return (
        f"{country.title} is a country in {country.continent}.{capital}"
        f" Its population is {country.population}. Its area is {country.area_km2} square kilometres."
    )


def city_passage(city: City) -> str:
    """The facts of a city in plain sentences."""
    return f"{city.title} is a city in {city.country}. Its population is {city.population}."
