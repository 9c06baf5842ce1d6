"""Finding the answer in what a model wrote: in its last box, after "the answer is", or in a sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator

#: A longer answer is no answer; what is longer is searched for one in a box before.
MAX_ANSWER_CHARS = 2_000
_SEARCHED_CHARS = 20_000  # the end of a text, where its answer stands
_SEARCHED_BOXES = 16
_JOINT_CHARS = 40  # between boxes that make one answer

_BOX = re.compile(r"\\(?:boxed|fbox)\s*\{")
_BETWEEN_BOXES = re.compile(r"[\s$,;.]*(?:\\(?:text|mbox)\s*\{)?\s*(?:and|or|,|;)?\s*\}?(?:\\[,;: ]|\\q?quad|[\s$,;])*")
_NAMES = r"(?:answer|result|respuesta|r[ée]ponse|resposta|risposta|antwort|ответ|答案|答え|答|정답)"
_IS = r"(?:\s*(?:(?:is|es|est|ist|è|é)(?![a-zA-Z])|[:=：是为為は]))+"
_ANSWER_IS = re.compile(rf"{_NAMES}{_IS}\s*(?P<answer>\S.*)", re.IGNORECASE)
_HEADED = re.compile(
    rf"(?:^|\n)[^\w\n]{{0,8}}(?:the\s+)?(?:final\s+)?{_NAMES}[^\w\n]{{0,8}}\n\s*(?P<answer>\S.*)",
    re.IGNORECASE | re.DOTALL,
)
_HASHES = re.compile(r"####\s*(?P<answer>[^#\s].*)")
_FENCE = re.compile(r"```\w*\n(.*?)\n?```", re.DOTALL)
_EMPHASIS = re.compile(r"(?<![\w*)\]}])(\*\*\*?|__|``?)(?=[^\s*_`])([^\n]{0,200}?[^\s*_`])\1(?![\w*(\[{])")
_EMPHASIZED = re.compile(r"\*([^*\s]|[^*\s][^*]*[^*\s])\*")
_HEADING = re.compile(r"#{1,6}\s*(?=[^\s#])")

_INLINE = re.compile(r"\$([^$]+)\$|\\\((.+?)\\\)|\\\[(.+?)\\\]", re.DOTALL)
_NUMBER_IN_TEXT = re.compile(
    r"[-+]?\$?\d[\d,]*(?:\.\d+)?(?:/\d+)?(?:[eE][-+]?\d+)?"
    r"(?:\s+(?:hundred|thousand|million|billion|trillion|dozen)\b)*"
)
#: Before a number that is not the answer, or between several of which none is.
_NOT_THIS = re.compile(
    r"(?:\bnot|n't|\bat least|\bat most|\b(?:more|less|fewer|greater) than)\s+(?:equal to\s+)?\$?$", re.IGNORECASE
)
_ALTERNATIVES = re.compile(r"\d\S*\s+(?:\w+\s+)?or\s+(?:\w+\s+)?[-+$\\(]*\d", re.IGNORECASE)


def find_answer(text: str) -> str:
    """The answer within what a model wrote: the last box (with those it is joined to by "and", "or" or a comma), else
    what follows "####" or "the answer is", else the text itself; without Markdown around it.
    """
    text = text[-_SEARCHED_CHARS:].strip()
    boxed = _joined_boxes(text)
    if boxed is not None:
        return boxed.strip()
    text = _FENCE.sub(r"\1", text) if "```" in text else text
    headed = _HEADED.search(text)
    last = _without_markdown((headed["answer"] if headed is not None else text).rpartition("\n")[2])
    stated = _HASHES.search(last) or _ANSWER_IS.search(last)
    if stated is not None:
        return _without_markdown(stated["answer"].strip())
    return _without_markdown(text if headed is None else headed["answer"].strip())


def _without_markdown(text: str) -> str:
    """Without a heading's hashes before it and emphasis within it. A power of Python, as `x**2`, is none."""
    text = text.strip()
    text = text if text.startswith("####") else _HEADING.sub("", text, count=1) if text.startswith("#") else text
    emphasized = _EMPHASIZED.fullmatch(text)
    return emphasized[1] if emphasized is not None else _EMPHASIS.sub(r"\2", text)


def last_box(text: str) -> str | None:
    r"""The content of the last \boxed{...}; None where there is none that is closed."""
    return next((text[start:end] for _, start, end in _boxes_from_the_end(text)), None)


def _joined_boxes(text: str) -> str | None:
    """The contents of the last box, and of those before it that only "and", "or" or a comma part from it."""
    contents: list[str] = []
    begin = len(text)
    for opened, start, end in _boxes_from_the_end(text):
        if contents and (begin - end > _JOINT_CHARS or not _BETWEEN_BOXES.fullmatch(text, end + 1, begin)):
            break
        contents.insert(0, text[start:end])
        begin = opened
    return ", ".join(contents) if contents else None


def _boxes_from_the_end(text: str) -> Iterator[tuple[int, int, int]]:
    """Where a box is opened, and where its content starts and ends: the last box first. What lies in another is not
    told apart from it.
    """
    for match in reversed(list(_BOX.finditer(text))[-_SEARCHED_BOXES:]):
        depth = 1
        for index in range(match.end(), min(len(text), match.end() + MAX_ANSWER_CHARS)):
            depth += {"{": 1, "}": -1}.get(text[index], 0)
            if depth == 0:
                yield match.start(), match.end(), index
                break


def last_expression(text: str) -> str | None:
    """In a sentence: the last formula between dollar signs, else the last number; None where there is neither, where
    the sentence leaves a choice of several, or says that the number is not the answer or only bounds it.
    """
    if _ALTERNATIVES.search(text) is not None:
        return None
    found = list(_INLINE.finditer(text)) or list(_NUMBER_IN_TEXT.finditer(text))
    if not found or _NOT_THIS.search(text, max(0, found[-1].start() - 40), found[-1].start()):
        return None
    return next((part for part in found[-1].groups() if part), found[-1][0].rstrip(","))


def is_sentence(text: str) -> bool:
    """True where the text is prose: three or more words, none of them LaTeX or code."""
    return len(re.findall(r"(?<![\\a-zA-Z])[a-zA-Z]{2,}(?![a-zA-Z(_])", text)) >= 3
