"""The questions of the built-in task: two searches, then arithmetic.

Every country belongs to one split with all its cities, so no entity of a test question stands in a training question.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

from agentdistill.tasks.world.facts import City, Country, World, world
from agentdistill.types import Kind, Question

TASK = "world"
TEST_SHARE = 0.4  # of the countries
MIN_COUNTRY_POPULATION = 300_000
CITIES_A_COUNTRY = 6  # the largest, so that no country fills the task
PAIRS_AN_ENTITY = 2
_SPLIT_SEED = 20_505
_COPYABLE = re.compile(r"[A-Z][a-z]+(?:[ -][A-Z]?[a-z]+){0,2}")
_WORD = re.compile(r"[a-z]+")
_Entity = TypeVar("_Entity", City, Country)


@dataclass(frozen=True, slots=True)
class Template:
    """One form of question. `hops` says whether the second search depends on what the first one found."""

    name: str
    text: str
    hops: str  # "chained" or "parallel"


TEMPLATES = {
    template.name: template
    for template in (
        Template(
            "density",
            "How many people live per square kilometre in the country that {a} is a city in? Round to 2 decimals.",
            "chained",
        ),
        Template("outside", "How many people in {a} live outside its capital?", "chained"),
        Template(
            "times",
            "The country that {a} is a city in has how many times the population of {a}? Round to 2 decimals.",
            "chained",
        ),
        Template("together", "How many people live in {a} and {b} together?", "parallel"),
        Template("larger", "How many square kilometres larger is {a} than {b}?", "parallel"),
    )
}


@dataclass(frozen=True, slots=True)
class _Item:
    template: Template
    entities: tuple[str, ...]  # those named in the question
    answer: str


def questions(split: str, limit: int | None = None, seed: int = 0) -> list[Question]:
    """The questions of one split ("train" or "test"), an equal share of each template as far as they reach.

    Returns all of them, or `limit` sampled with `seed`; the same arguments give the same list on every machine.
    """
    by_template = _items(split)
    rng = random.Random(f"{seed}-{split}")
    columns = [rng.sample(items, len(items)) for items in by_template.values()]
    longest = max(len(column) for column in columns)
    ordered = [column[row] for row in range(longest) for column in columns if row < len(column)]
    return [_question(item, split) for item in ordered[:limit]]


@lru_cache(maxsize=2)
def _items(split: str) -> dict[str, tuple[_Item, ...]]:
    facts = world()
    countries = _split_countries(facts)[split]
    cities = _askable_cities(facts, countries)
    capitals = [country for country in countries if is_distinct(country.capital)]
    rng = random.Random(f"{_SPLIT_SEED}-{split}")
    items = {
        "density": [_density(facts, city) for city in cities],
        "outside": [_outside(facts, country) for country in capitals],
        "times": [_times(facts, city) for city in cities],
        "together": [_together(*pair) for pair in _pairs(cities, rng)],
        "larger": [_larger(*pair) for pair in _pairs(countries, rng)],
    }
    return {name: tuple(made) for name, made in items.items()}


def _split_countries(facts: World) -> dict[str, list[Country]]:
    """The countries that are asked about, by split, in a fixed order."""
    askable = [
        country
        for country in sorted(facts.countries.values(), key=lambda country: country.title)
        if country.population >= MIN_COUNTRY_POPULATION
        and is_distinct(country.title)
        and country.capital in facts.cities
        and facts.cities[country.capital].population < country.population
    ]
    random.Random(_SPLIT_SEED).shuffle(askable)
    num_test = round(TEST_SHARE * len(askable))
    return {"test": askable[:num_test], "train": askable[num_test:]}


def _askable_cities(facts: World, countries: list[Country]) -> list[City]:
    """The largest cities of each country whose names can be told apart; capitals too."""
    by_country: dict[str, list[City]] = defaultdict(list)
    for city in facts.cities.values():
        by_country[city.country].append(city)
    return [
        city
        for country in countries
        for city in [
            city
            for city in sorted(by_country[country.title], key=lambda city: (-city.population, city.title))
            if is_distinct(city.title) and city.population < country.population
        ][:CITIES_A_COUNTRY]
    ]


def is_distinct(title: str) -> bool:
    """True where the title is one to three plain words and no other title holds them all, or is held in it."""
    if not _COPYABLE.fullmatch(title):
        return False
    words = frozenset(_WORD.findall(title.lower()))
    titles = _titles_by_word()
    rivals = {rival for word in words for rival in titles.get(word, ()) if rival != title}
    return not any(words <= other or other <= words for other in (_words(rival) for rival in rivals))


def _words(title: str) -> frozenset[str]:
    return frozenset(_WORD.findall(title.lower()))


@lru_cache(maxsize=1)
def _titles_by_word() -> dict[str, frozenset[str]]:
    facts = world()
    titles: dict[str, set[str]] = defaultdict(set)
    for title in (*facts.countries, *facts.cities):
        for word in _words(title):
            titles[word].add(title)
    return {word: frozenset(group) for word, group in titles.items()}


def _pairs(entities: list[_Entity], rng: random.Random) -> Iterator[tuple[_Entity, _Entity]]:
    """Different pairs in which each entity stands PAIRS_AN_ENTITY times at most."""
    seen = set()
    for _ in range(PAIRS_AN_ENTITY):
        order = rng.sample(entities, len(entities))
        for first, second in zip(order[::2], order[1::2], strict=False):
            if frozenset((first.title, second.title)) not in seen:
                seen.add(frozenset((first.title, second.title)))
                yield first, second


def _density(facts: World, city: City) -> _Item:
    country = facts.countries[city.country]
    return _item("density", str(round(country.population / country.area_km2, 2)), city)


def _outside(facts: World, country: Country) -> _Item:
    return _item("outside", str(country.population - facts.cities[country.capital].population), country)


def _times(facts: World, city: City) -> _Item:
    return _item("times", str(round(facts.countries[city.country].population / city.population, 2)), city)


def _together(first: City, second: City) -> _Item:
    return _item("together", str(first.population + second.population), first, second)


def _larger(first: Country, second: Country) -> _Item:
    large, small = sorted((first, second), key=lambda country: (-country.area_km2, country.title))
    return _item("larger", str(large.area_km2 - small.area_km2), large, small)


def _item(template: str, answer: str, *entities: City | Country) -> _Item:
    return _Item(TEMPLATES[template], tuple(entity.title for entity in entities), answer)


def _question(item: _Item, split: str) -> Question:
    names = dict(zip("ab", item.entities, strict=False))
    slug = "-".join(name.lower().replace(" ", "_") for name in item.entities)
    return Question(
        id=f"world-{split}-{item.template.name}-{slug}",
        text=item.template.text.format(**names),
        answers=(item.answer,),
        kind=Kind.MATH,
        task=TASK,
        metadata={"template": item.template.name, "hops": item.template.hops, "entities": "; ".join(item.entities)},
    )
