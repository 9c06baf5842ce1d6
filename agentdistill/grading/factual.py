"""Factual answers as text: exact match and F1 after the usual normalisation (SQuAD, arXiv 1606.05250)."""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Sequence

from agentdistill.grading.text import last_box

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
#: Marks that carry no meaning in words although Unicode takes them for letters, symbols or formats.
_OTHER_MARKS = frozenset(string.punctuation + "ʼʻʹʺˈ′″‴´−＋")


class _Marks(dict[int, "str | int"]):
    """What becomes of a character, found when it is first met: nothing of punctuation and of what has no width."""

    def __missing__(self, code: int) -> str | int:
        letter = chr(code)
        is_mark = (
            letter in _OTHER_MARKS or unicodedata.category(letter)[0] == "P" or unicodedata.category(letter) == "Cf"
        )
        self[code] = "" if is_mark else code
        return self[code]


_MARKS = _Marks()
_TEXT_MACRO = re.compile(r"\\(?:text|mathrm|textbf)\s*\{([^{}]*)\}")
MAX_CHARS = 10_000


def factual_answer(text: str) -> str:
    """The answer within a chain of thought: what its last box holds, else the text itself."""
    boxed = last_box(text[-MAX_CHARS:])
    return text if boxed is None else _TEXT_MACRO.sub(r"\1", boxed)


def normalize(text: str) -> str:
    """Lower case, without punctuation, articles and superfluous blanks. What is nothing but articles keeps them: "A" is
    the letter of a choice.
    """
    lowered = unicodedata.normalize("NFKC", text[:MAX_CHARS]).lower().translate(_MARKS)
    return " ".join(_ARTICLES.sub(" ", lowered).split()) or " ".join(lowered.split())


def exact_match(prediction: str, answers: Sequence[str]) -> bool:
    """True where the prediction is one of the accepted answers. A text of punctuation is one where it is the same."""
    normalized = normalize(prediction)
    if not normalized:
        return prediction.strip() != "" and prediction.strip() in {answer.strip() for answer in answers}
    return any(normalized == normalize(answer) for answer in answers)


def f1(prediction: str, answers: Sequence[str]) -> float:
    """The best overlap in words with an accepted answer, in [0, 1].

    "yes", "no" and "noanswer" get no part of a point for a longer text (as HotpotQA's own script has it).
    """
    return max((_f1(normalize(prediction), normalize(answer)) for answer in answers), default=0.0)


def _f1(prediction: str, answer: str) -> float:
    whole = {"yes", "no", "noanswer"}
    if prediction != answer and (prediction in whole or answer in whole):
        return 0.0
    first, second = prediction.split(), answer.split()
    common = sum((Counter(first) & Counter(second)).values())
    if not common:
        return 0.0
    precision, recall = common / len(first), common / len(second)
    return 2 * precision * recall / (precision + recall)
