"""Training questions that stand in a test set, in the same words or in nearly the same.

Two questions are nearly the same where they hold the same numbers and almost all of their weight in words is common.
A word weighs the square of its inverse document frequency (over all questions given), so that two questions of one
form about different things ("How old is X?", "How old is Y?") are not taken for one, and neither are two exercises
that differ in a number only.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from agentdistill.errors import DataError
from agentdistill.types import Question

NEAR_SIMILARITY = 0.75
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_WORD = re.compile(r"[^\W\d_]+")

#: The numbers in a text and how often each stands there, sorted.
_Numbers = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Overlap:
    """One training question and the test question that it repeats."""

    train_id: str
    test_id: str
    similarity: float  # 1.0 where the words are the same
    exact: bool


@dataclass(frozen=True, slots=True)
class _Text:
    words: frozenset[str]
    numbers: _Numbers
    normalized: str


def find_overlap(train: Sequence[Question], test: Sequence[Question]) -> list[Overlap]:
    """For each training question that repeats a test question, the most similar one; in the order of `train`."""
    train_texts = [_prepare(question.text) for question in train]
    test_texts = [_prepare(question.text) for question in test]
    weights = _weights([*train_texts, *test_texts])
    exact = {text.normalized: index for index, text in reversed(list(enumerate(test_texts)))}
    index: dict[_Numbers, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for position, text in enumerate(test_texts):
        for word in _telling(text, weights):
            index[text.numbers][word].append(position)
    found = []
    for question, text in zip(train, train_texts, strict=True):
        if text.normalized in exact:
            found.append(Overlap(question.id, test[exact[text.normalized]].id, 1.0, True))
            continue
        same_numbers = index.get(text.numbers, {})
        candidates = {position for word in text.words for position in same_numbers.get(word, ())}
        similar = [(_similarity(text, test_texts[position], weights), -position) for position in candidates]
        best, place = max(similar, default=(0.0, 0))
        if best >= NEAR_SIMILARITY:
            found.append(Overlap(question.id, test[-place].id, best, False))
    return found


def without_overlap(train: Sequence[Question], test: Sequence[Question], on_overlap: str = "refuse") -> list[Question]:
    """The training questions that stand in no test set.

    `on_overlap` "refuse" raises DataError where there is any overlap, with the number and the first pairs; "drop"
    leaves those training questions out.
    """
    found = find_overlap(train, test)
    if not found:
        return list(train)
    if on_overlap == "refuse":
        pairs = "; ".join(
            f"{pair.train_id} is {'the same as' if pair.exact else 'nearly'} {pair.test_id}" for pair in found[:3]
        )
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        raise DataError(
            f"questions: {len(found)} of {len(train)} training questions stand in a test set ({pairs}{more}), expected "
            "none; set questions.on_overlap=drop to leave them out"
        )
    dropped = {pair.train_id for pair in found}
    return [question for question in train if question.id not in dropped]


def _prepare(text: str) -> _Text:
    folded = unicodedata.normalize("NFKD", text).casefold()
    folded = "".join(letter for letter in folded if not unicodedata.combining(letter))
    words, numbers = _WORD.findall(folded), _NUMBER.findall(folded)
    counted = Counter(number.replace(",", "") for number in numbers)
    # Signs and operators stay in the normalized form: "x + 1" is not "x - 1".
    return _Text(frozenset(words), tuple(sorted(counted.items())), " ".join(folded.split()).rstrip(" ?.!"))


def _weights(texts: Sequence[_Text]) -> dict[str, float]:
    frequency = Counter(word for text in texts for word in text.words)
    return {word: math.log(1 + len(texts) / count) ** 2 for word, count in frequency.items()}


def _telling(text: _Text, weights: dict[str, float]) -> list[str]:
    """The heaviest words of a question, so many that any other question like it must hold one of them.

    Two questions are alike only where what one lacks of the other is at most 1 - NEAR_SIMILARITY of its weight.
    """
    words = sorted(text.words, key=lambda word: (-weights[word], word))
    spare = (1 - NEAR_SIMILARITY) * math.fsum(weights[word] for word in words)
    telling = []
    for word in words:
        telling.append(word)
        spare -= weights[word]
        if spare < 0:
            break
    return telling


def _similarity(first: _Text, second: _Text, weights: dict[str, float]) -> float:
    """The common weight of the words of two questions as a share of all their weight, in [0, 1]."""
    common = math.fsum(weights[word] for word in first.words & second.words)
    every = math.fsum(weights[word] for word in first.words | second.words)
    return common / every if every else 0.0
