"""The demo's teacher: a scripted expert that writes what a capable agent would, turn by turn.

It knows the forms of the questions and how to work them out, and not one fact: every name and number that it uses
after the question was read from an observation. Now and then it takes a wrong turn and recovers, so that the
student sees errors too.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agentdistill.tasks.world.asking import TEMPLATES
from agentdistill.types import Message, Role

#: The share of episodes with a wrong turn; each of WRONG_TURNS has an equal part.
WRONG_TURN_SHARE = 0.1
WRONG_TURNS = ("wrong_type", "wrong_name")

#: A name stands behind a space here, as it does in questions and passages: its tokens are the same in all three, and
#: a small model copies them. Right behind the quotation mark most names are split into other tokens.
FIRST_QUERY = "about {}"
SECOND_QUERY = "population of {}"

#: What every Thought begins with. A small model that said what it is after goes on with the right plan; where only the
#: question told the templates apart, it mixed their searches and computations.
_AIMS = {"density": "density", "outside": "rest", "times": "ratio", "together": "sum", "larger": "difference"}
#: What the first search is for.
_NEEDS = {
    "density": "the country of {a}",
    "outside": "the capital of {a}",
    "times": "the country of {a}",
    "together": "{a} and {b}",
    "larger": "{a} and {b}",
}
_AGENT_MARKS = ("final_answer", "Code:", "```py", "search(")
_DOC = re.compile(r"^Doc \d+ \(Title: (?P<title>[^\n]*)\)\n(?P<text>[^\n]*)", re.MULTILINE)
_QUERY = re.compile(r'search\("([^"\n]*)"\)')
_FIELDS = {
    "country": re.compile(r"is a city in (.+?)\."),
    "capital": re.compile(r"Its capital is (.+?)\. Its"),
    "population": re.compile(r"Its population is (\d+)\."),
    "area": re.compile(r"Its area is (\d+) square kilometres\."),
}


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question that was understood."""

    template: str
    a: str
    b: str = ""


@dataclass(frozen=True, slots=True)
class _Lookup:
    """What the expert must read next, and why."""

    title: str
    why: str


@dataclass(frozen=True, slots=True)
class _Arithmetic:
    """What is done with the two numbers, in words and in code."""

    plan: str
    code: str


#: The two numbers have the same names in every template's code, so that what a small model learns of one holds for the
#: others: the Thought before the code says which numbers they are.
_RATIO = _Arithmetic("I divide {first} by {second}.", "round(first / second, 2)")
_DIFFERENCE = _Arithmetic("I take {first} minus {second}.", "first - second")
_ARITHMETIC = {
    "density": _RATIO,
    "outside": _DIFFERENCE,
    "times": _RATIO,
    "together": _Arithmetic("I add {first} and {second}.", "first + second"),
    "larger": _DIFFERENCE,
}

_Facts = Mapping[str, Mapping[str, str]]


def expert(messages: Sequence[Message], seed: int) -> str:
    """The assistant's next turn in the agent's text format.

    Where the last message is the assistant's own, the text returned continues it: the rest of its Thought, then the
    Code block. Where nothing in the conversation asks for code, it is a short chain of thought. The same messages and
    seed give the same text.
    """
    asked = _understand(messages)
    if not _wants_code(messages):
        return _reasoning(asked)
    continues = bool(messages) and messages[-1].role is Role.ASSISTANT
    past = [message.content for message in messages if message.role is Role.ASSISTANT]
    thought, code = _next_action(asked, past[:-1] if continues else past, _read(messages), seed)
    if asked is not None:
        thought = f"For the {_AIMS[asked.template]}: {thought}"
    return f"{'' if continues else 'Thought:'} {thought}\nCode:\n```py\n{code}\n```<end_code>"


def _next_action(asked: _Asked | None, past: list[str], facts: _Facts, seed: int) -> tuple[str, str]:
    """The Thought and the code of the next step."""
    if asked is None:
        return "I do not know how to work this out.", 'final_answer("unknown")'
    wrong_turn = _wrong_turn(asked, seed)
    queries = [query for turn in past for query in _QUERY.findall(turn)]
    lookup = _missing(asked, facts, queries)
    if lookup is not None:
        return _search(lookup, queries, len(past), wrong_turn)
    computed = any("final_answer" in turn for turn in past)
    if computed:
        return "I misspelled a name, so I write the code again.", _computation(asked, facts)
    return _plan(asked, facts), _computation(asked, facts, misspelled=wrong_turn == "wrong_name")


def _search(lookup: _Lookup, queries: list[str], turn: int, wrong_turn: str) -> tuple[str, str]:
    title = lookup.title
    if turn == 0 and wrong_turn == "wrong_type":
        return lookup.why, f'page = search("{FIRST_QUERY.format(title)}")\nprint(page["population"])'
    ask, ask_again = (f'print(search("{query.format(title)}"))' for query in (FIRST_QUERY, SECOND_QUERY))
    if turn == 1 and wrong_turn == "wrong_type":
        return "The search gives text, so I print it.", ask
    if SECOND_QUERY.format(title) in queries:
        return f"I cannot find {title}.", 'final_answer("unknown")'
    if FIRST_QUERY.format(title) in queries:
        return f"This is not about {title}. I search again.", ask_again
    return lookup.why, ask


def _missing(asked: _Asked, facts: _Facts, queries: list[str]) -> _Lookup | None:
    """The next passage to ask for; None where all were asked for and read.

    A passage that came along with another is asked for all the same: one procedure is easier to learn than two.
    """

    def known(title: str) -> bool:
        asked_for = (FIRST_QUERY.format(title), SECOND_QUERY.format(title))
        return title in facts and any(query in queries for query in asked_for)

    if not known(asked.a):
        return _Lookup(
            asked.a, f"I need {_NEEDS[asked.template].format(a=asked.a, b=asked.b)}. I search for {asked.a}."
        )
    if asked.b and not known(asked.b):
        return _Lookup(asked.b, f"Now I search for {asked.b}.")
    if asked.template in ("density", "times"):
        country = facts[asked.a].get("country", "")
        if not known(country):
            return _Lookup(country, f"{asked.a} is a city in {country}. I search for {country}.")
    if asked.template == "outside":
        capital = facts[asked.a].get("capital", "")
        if not known(capital):
            return _Lookup(capital, f"Its capital is {capital}. I search for {capital}.")
    return None


def _numbers(asked: _Asked, facts: _Facts) -> tuple[tuple[str, str], tuple[str, str]]:
    """Which two numbers are computed with, in the code's order: of each the field and whose it is."""
    country, capital = (facts[asked.a].get(field, "") for field in ("country", "capital"))
    return {
        "density": (("population", country), ("area", country)),
        "outside": (("population", asked.a), ("population", capital)),
        "times": (("population", country), ("population", asked.a)),
        "together": (("population", asked.a), ("population", asked.b)),
        "larger": (("area", asked.a), ("area", asked.b)),
    }[asked.template]


def _plan(asked: _Asked, facts: _Facts) -> str:
    """The Thought before the computation: which numbers, of what, in the order in which the code has them."""
    first, second = (f"the {field} of {title}" for field, title in _numbers(asked, facts))
    return _ARITHMETIC[asked.template].plan.format(first=first, second=second)


def _computation(asked: _Asked, facts: _Facts, misspelled: bool = False) -> str:
    """The code of the last step: the plan's numbers copied from the observations, then the arithmetic."""
    first, second = (facts[title][field] for field, title in _numbers(asked, facts))
    answer = _ARITHMETIC[asked.template].code
    if misspelled:
        answer = answer.replace("first", "total")
    return f"first = {first}\nsecond = {second}\nfinal_answer({answer})"


def _reasoning(asked: _Asked | None) -> str:
    if asked is None:
        return "I do not know how to work this out."
    plan = {
        "density": f"I first find out in which country {asked.a} lies, then divide its population by its area.",
        "outside": f"I find the population and the capital of {asked.a}, then take away the capital's population.",
        "times": f"I find the population and the country of {asked.a}, then divide the country's population by it.",
        "together": f"I find the populations of {asked.a} and {asked.b} and add them.",
        "larger": f"I find the areas of {asked.a} and {asked.b} and take the difference.",
    }[asked.template]
    return f"{plan}\n\nI would have to look these numbers up to give the result."


def _understand(messages: Sequence[Message]) -> _Asked | None:
    for message in messages:
        if message.role is not Role.USER:
            continue
        for name, pattern in _PATTERNS.items():
            match = pattern.search(message.content)
            if match is not None:
                return _Asked(name, **match.groupdict())
    return None


def _pattern(text: str) -> re.Pattern[str]:
    """A regular expression for the questions of one template."""
    seen: set[str] = set()
    parts = []
    for part in re.split(r"(\{[ab]\})", text):
        if part not in ("{a}", "{b}"):
            parts.append(re.escape(part))
        elif part in seen:
            parts.append(f"(?P={part[1]})")
        else:
            seen.add(part)
            parts.append(f"(?P<{part[1]}>[A-Z][^\\n?.]*?)")
    return re.compile("".join(parts))


_PATTERNS = {name: _pattern(template.text) for name, template in TEMPLATES.items()}


def _wants_code(messages: Sequence[Message]) -> bool:
    return any(mark in message.content for message in messages for mark in _AGENT_MARKS)


def _read(messages: Sequence[Message]) -> _Facts:
    """What the observations so far state, by title."""
    facts: dict[str, dict[str, str]] = {}
    for message in messages:
        if message.role is not Role.USER:
            continue
        for doc in _DOC.finditer(message.content):
            found = {name: pattern.search(doc["text"]) for name, pattern in _FIELDS.items()}
            facts[doc["title"]] = {name: match[1] for name, match in found.items() if match is not None}
    return facts


def _wrong_turn(asked: _Asked, seed: int) -> str:
    """Which wrong turn this episode takes; empty for most."""
    digest = hashlib.blake2b(f"{seed}|{asked.template}|{asked.a}|{asked.b}".encode(), digest_size=8).digest()
    draw = int.from_bytes(digest, "big") / 2**64
    if draw >= WRONG_TURN_SHARE:
        return ""
    return WRONG_TURNS[int(draw / WRONG_TURN_SHARE * len(WRONG_TURNS))]
