"""How much each character of an assistant turn weighs in the loss: its thought, its code, its final answer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

_CODE = re.compile(r"^Code:\s*$|^```(?:py|python)?\s*$", re.MULTILINE)
_FINAL = re.compile(r"\bfinal_answer\s*\(")


class WeightOptions(Protocol):
    """What `turn_spans` reads of the render options."""

    @property
    def train_on_prefix(self) -> bool: ...
    @property
    def thought_weight(self) -> float: ...
    @property
    def code_weight(self) -> float: ...
    @property
    def final_weight(self) -> float: ...


@dataclass(frozen=True, slots=True)
class CharSpan:
    """Characters up to `end` (exclusive) that no earlier span holds."""

    end: int
    weight: float


def turn_spans(content: str, prefix_chars: int, options: WeightOptions) -> list[CharSpan]:
    """Return the spans of a turn in order: first-thought prefix, thought, code (or the code that answers).

    The code starts at the line `Code:` (or at the code fence, where that line is missing); a turn without code is all
    thought. Code that calls `final_answer(...)` weighs `final_weight` instead of `code_weight`.
    """
    found = _CODE.search(content, min(prefix_chars, len(content)))
    code_start = found.start() if found else len(content)
    spans = []
    if prefix_chars > 0:
        spans.append(
            CharSpan(min(prefix_chars, len(content)), options.thought_weight if options.train_on_prefix else 0.0)
        )
    spans.append(CharSpan(code_start, options.thought_weight))
    if found:
        final = _FINAL.search(content, code_start) is not None
        spans.append(CharSpan(len(content), options.final_weight if final else options.code_weight))
    return spans
