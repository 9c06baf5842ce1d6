"""How much each character of an assistant turn weighs in the loss: its thought, its code, its answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agentdistill.config.train import TrainConfig
from agentdistill.types import Part, PartKind, holds, outer_parts

_ACTIONS = (PartKind.CODE, PartKind.CALL)


@dataclass(frozen=True, slots=True)
class CharSpan:
    """Characters up to `end` (exclusive) that no earlier span holds."""

    end: int
    weight: float


def weighs_parts(config: TrainConfig) -> bool:
    """Whether the parts of a turn have to be known: whether any of them weighs other than 1."""
    return {config.thought_weight, config.code_weight, config.final_weight} != {1.0}


def turn_spans(content: str, parts: Sequence[Part], prefix_chars: int, config: TrainConfig) -> list[CharSpan]:
    """Return the spans of a turn in order, the last one up to its end.

    `parts` are what `check_parts` has nothing against. The leading `prefix_chars` characters weigh as a thought, or 0
    without `train_on_prefix`. Characters of no part (`Code:`, a fence) weigh as the part that follows them, those
    after the last part as that one. A turn without parts is all thought.
    """
    spans = []
    if prefix_chars > 0:
        weight = config.thought_weight if config.train_on_prefix else 0.0
        spans.append(CharSpan(min(prefix_chars, len(content)), weight))
    answers = [part for part in parts if part.kind is PartKind.ANSWER]
    last = config.thought_weight
    for part in outer_parts(parts):
        inside = [answer for answer in answers if holds(part, answer)]
        spans.extend(_part_spans(part, inside, config))
        last = spans[-1].weight
    spans.append(CharSpan(len(content), last))
    return spans


def _part_spans(part: Part, answers: Sequence[Part], config: TrainConfig) -> Iterator[CharSpan]:
    """An action that answers weighs `final_weight` as a whole; of a thought, the answer's own characters alone do."""
    if part.kind in _ACTIONS:
        yield CharSpan(part.end, config.final_weight if answers else config.code_weight)
        return
    for answer in sorted(answers, key=lambda answer: answer.start):
        yield CharSpan(answer.start, config.thought_weight)
        yield CharSpan(answer.end, config.final_weight)
    yield CharSpan(part.end, config.thought_weight)
