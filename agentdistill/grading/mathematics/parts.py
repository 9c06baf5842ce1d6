"""What an answer can be made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value or expression, as text: LaTeX or Python."""

    text: str


@dataclass(frozen=True, slots=True)
class Words:
    """An answer in words ("even", "Navin", "two lines"), or the letter of a choice."""

    text: str


@dataclass(frozen=True, slots=True)
class Group:
    """Parts in brackets: a tuple or an interval "(", "[", a set "{"; a list of answers has no brackets."""

    open: str
    close: str
    items: tuple[Shape, ...]
    variable: str = ""  # of a relation: "x > 3" is an interval, but none of y

    @property
    def is_list(self) -> bool:
        return self.open == ""

    @property
    def is_unordered(self) -> bool:
        return self.open in ("", "{")


@dataclass(frozen=True, slots=True)
class Union:
    """A union of sets."""

    parts: tuple[Shape, ...]


@dataclass(frozen=True, slots=True)
class Equation:
    """`left` = `right`; of a chain, its first and its last part."""

    left: str
    right: Shape


@dataclass(frozen=True, slots=True)
class Matrix:
    """Rows of cells; a vector has one column."""

    rows: tuple[tuple[Shape, ...], ...]


@dataclass(frozen=True, slots=True)
class Ratio:
    """`items[0]` : `items[1]` : ..."""

    items: tuple[Shape, ...]


Shape: TypeAlias = "Scalar | Words | Group | Union | Equation | Matrix | Ratio"
