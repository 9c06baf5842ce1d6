"""Messages -> token ids and a weight per token, by the student's own chat template.

What is trained on is found from segments, never by searching for strings: before each assistant turn the template is
applied with the generation prompt, after it without, and what lies between is what the student will have to write.
Token ids come from one tokenization of the whole text, and a turn is accepted only where the tokenization of its
prompt alone (which is what an engine will do) is a prefix of it.

A template that rewrites earlier turns (drops their reasoning, say) cannot be one sequence: then each turn becomes a
sequence of its own behind exactly the prompt that the student will see.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass
from typing import Any

from agentdistill.config.train import TrainConfig
from agentdistill.errors import DataError
from agentdistill.train.data.weights import CharSpan, turn_spans, weighs_parts
from agentdistill.types import Message, Part, Role, TrainingExample, check_parts


@dataclass(frozen=True, slots=True)
class Rendered:
    """One sequence to train on."""

    example_id: str
    part: int  # which sequence of the example; 0 unless the template rewrites earlier turns
    token_ids: tuple[int, ...]  # [num_tokens], cut after the last trained token
    weights: tuple[float, ...]  # [num_tokens] loss weight of predicting this token; 0 where not trained
    columns: tuple[tuple[str, float], ...] = ()  # the example's numbers that the objective asks for, by name

    @property
    def num_tokens(self) -> int:
        return len(self.token_ids)

    @property
    def num_trained(self) -> int:
        return sum(weight > 0 for weight in self.weights)


@dataclass(frozen=True, slots=True)
class _Turn:
    """One assistant turn: the text before it, the text with it, and where its content lies in the latter."""

    index: int  # among the assistant turns
    message: Message
    prompt: str
    full: str
    content_start: int  # character in `full`
    content: str | None  # as the template shows it; None where it rewrites the text

    @property
    def lead(self) -> int:
        """How many leading characters of the message the template leaves out."""
        return 0 if self.content is None else self.message.content.index(self.content)


class Renderer:
    """Renders examples for one tokenizer. `stop_ids` are the tokens at which the student stops generating.

    Of the config it reads which of the agent's own text is trained on, and how much each part of it weighs.
    """

    def __init__(self, tokenizer: Any, stop_ids: frozenset[int], config: TrainConfig | None = None):
        self.tokenizer = tokenizer
        self.stop_ids = stop_ids
        self.config = config or TrainConfig()

    def render(self, example: TrainingExample) -> list[Rendered]:
        """Return the example's sequences: one, or one a turn where the template rewrites earlier turns.

        Raises DataError, naming the example, where nothing in it is trained, the end-of-turn token of a trained turn
        is missing, tokenizing the prompt alone gives other tokens than those trained behind, or its parts are needed
        and missing or wrong.
        """
        turns = self._turns(example)
        whole = all(self._stands_before(example, *pair) for pair in itertools.pairwise(turns))
        groups = [turns] if whole else [[turn] for turn in turns]
        sequences = []
        for part, group in enumerate(groups):
            sequence = self._sequence(example, group, part)
            if sequence.num_trained:
                sequences.append(sequence)
        if not sequences:
            raise DataError(
                f"example {example.example_id}: no token is trained: each assistant turn is empty, masked or weighs 0"
            )
        return sequences

    def apply(self, messages: SequenceOf[Message], add_generation_prompt: bool) -> str:
        """The conversation as text, by the chat template. Raises DataError where the template refuses it."""
        from jinja2 import TemplateError

        rows = [{"role": str(message.role), "content": message.content} for message in messages]
        try:
            text = self.tokenizer.apply_chat_template(rows, tokenize=False, add_generation_prompt=add_generation_prompt)
        except TemplateError as error:
            roles = ", ".join(row["role"] for row in rows)
            raise DataError(
                f"the chat template refuses a conversation of {roles}: {error}; expected a template that takes a "
                "system message and turns of user and assistant"
            ) from error
        return str(text)

    def _turns(self, example: TrainingExample) -> list[_Turn]:
        turns: list[_Turn] = []
        for position, message in enumerate(example.messages):
            if message.role is not Role.ASSISTANT:
                continue
            try:
                prompt = self.apply(example.messages[:position], add_generation_prompt=True)
                full = self.apply(example.messages[: position + 1], add_generation_prompt=False)
            except DataError as error:
                raise DataError(f"example {example.example_id}: {error}") from error
            if not full.startswith(prompt):
                raise DataError(
                    f"example {example.example_id}: the chat template does not put the generation prompt in front of "
                    f"assistant turn {len(turns) + 1}, so what the student is asked differs from what it is taught; "
                    "use a template whose finished turns start as its generation prompt does"
                )
            start, content = _locate(full, len(prompt), message.content)
            turns.append(_Turn(len(turns), message, prompt, full, start, content))
        if not turns:
            raise DataError(f"example {example.example_id}: it has no assistant message, so there is nothing to learn")
        _check_counts(example, len(turns))
        return turns

    def _stands_before(self, example: TrainingExample, earlier: _Turn, later: _Turn) -> bool:
        """Whether the earlier turn, up to the token that ends it, stands unchanged in front of the later one.

        What follows that token may differ: some templates end a conversation with a token of its own.
        """
        if later.prompt.startswith(earlier.full):
            return True
        encoded = self.tokenizer(earlier.full, add_special_tokens=False, return_offsets_mapping=True)
        token_ids, offsets = list(encoded["input_ids"]), encoded["offset_mapping"]
        start = self._check_prompt(example, earlier, token_ids)
        end = self._end_of_turn(example, earlier, token_ids, offsets, start)
        return later.prompt.startswith(earlier.full[: offsets[end][1]])

    def _sequence(self, example: TrainingExample, turns: list[_Turn], part: int) -> Rendered:
        encoded = self.tokenizer(turns[-1].full, add_special_tokens=False, return_offsets_mapping=True)
        token_ids, offsets = list(encoded["input_ids"]), encoded["offset_mapping"]
        weights = [0.0] * len(token_ids)
        for turn in turns:
            start = self._check_prompt(example, turn, token_ids)
            end = self._end_of_turn(example, turn, token_ids, offsets, start)
            if self.config.mask_failed_actions and example.failed_steps and example.failed_steps[turn.index]:
                continue
            spans = self._spans(example, turn)
            _fill(weights, offsets, start, end, turn.content_start, spans)
            weights[end] = 1.0
        last = max((index for index, weight in enumerate(weights) if weight > 0), default=-1)
        return Rendered(example.example_id, part, tuple(token_ids[: last + 1]), tuple(weights[: last + 1]))

    def _spans(self, example: TrainingExample, turn: _Turn) -> list[CharSpan]:
        """The turn's spans, counted from where its text starts in what the template shows."""
        prefix_chars = example.prefix_chars if turn.index == 0 else 0
        parts = self._parts(example, turn)
        if turn.content is not None:
            spans = turn_spans(turn.message.content, parts, prefix_chars, self.config)
            return [CharSpan(min(span.end - turn.lead, len(turn.content)), span.weight) for span in spans]
        if weighs_parts(self.config) or (prefix_chars > 0 and not self.config.train_on_prefix):
            raise DataError(
                f"example {example.example_id}: the chat template rewrites the text of assistant turn "
                f"{turn.index + 1}, so its thought and code have no place of their own; expected weights of 1 and "
                "train.train_on_prefix=true with this model"
            )
        return []

    def _parts(self, example: TrainingExample, turn: _Turn) -> tuple[Part, ...]:
        if not example.parts:
            if weighs_parts(self.config):
                raise DataError(
                    f"example {example.example_id}: it says nothing of its parts, expected a training set made by this "
                    "version's select for train.thought_weight, train.code_weight and train.final_weight other than 1"
                )
            return ()
        parts = example.parts[turn.index]
        problem = check_parts(turn.message.content, parts)
        if problem is not None:
            raise DataError(
                f"example {example.example_id}: of assistant message {turn.index + 1}, {problem}; expected parts side "
                "by side within its text, answers within them"
            )
        return parts

    def _check_prompt(self, example: TrainingExample, turn: _Turn, token_ids: list[int]) -> int:
        """Return how many tokens the turn's prompt has; raise where they are not the first of `token_ids`."""
        prompt_ids = list(self.tokenizer(turn.prompt, add_special_tokens=False)["input_ids"])
        if token_ids[: len(prompt_ids)] == prompt_ids:
            return len(prompt_ids)
        common = next(
            (i for i, (a, b) in enumerate(zip(prompt_ids, token_ids, strict=False)) if a != b), len(token_ids)
        )
        alone, within = prompt_ids[common : common + 4], token_ids[common : common + 4]
        raise DataError(
            f"example {example.example_id}: tokenizing the prompt of assistant turn {turn.index + 1} alone gives "
            f"{self.tokenizer.decode(alone)!r} at token {common}, within the whole conversation it is "
            f"{self.tokenizer.decode(within)!r}; the student would be trained behind a prompt that it never sees"
        )

    def _end_of_turn(
        self, example: TrainingExample, turn: _Turn, token_ids: list[int], offsets: list[tuple[int, int]], start: int
    ) -> int:
        """Return the index of the token that ends the turn."""
        content_end = turn.content_start + len(turn.content or "")
        for index in range(start, len(token_ids)):
            if offsets[index][0] >= len(turn.full):
                break
            if token_ids[index] not in self.stop_ids:
                continue
            if offsets[index][0] < content_end:
                raise DataError(
                    f"example {example.example_id}: assistant turn {turn.index + 1} holds the end-of-turn token "
                    f"{self.tokenizer.decode([token_ids[index]])!r} within its own text; remove it from the text"
                )
            return index
        expected = ", ".join(sorted(repr(self.tokenizer.decode([token])) for token in self.stop_ids))
        raise DataError(
            f"example {example.example_id}: the chat template puts no end-of-turn token (expected one of {expected}) "
            f"behind assistant turn {turn.index + 1}, so the student would not learn to stop"
        )


def _check_counts(example: TrainingExample, turns: int) -> None:
    for name, found in (("failed_steps", len(example.failed_steps)), ("parts", len(example.parts))):
        if found not in (0, turns):
            raise DataError(
                f"example {example.example_id}: {name} has {found} entries, expected one for each of its {turns} "
                "assistant messages"
            )


def _locate(full: str, start: int, content: str) -> tuple[int, str | None]:
    """Where the turn's content lies in `full`, and as what: templates may strip white space around it.

    None where the template puts something else there; the whole turn is trained on then.
    """
    for candidate in (content, content.lstrip(), content.rstrip(), content.strip()):
        if full.startswith(candidate, start):
            return start, candidate
    stripped = content.strip()
    lead = len(full) - start - len(full[start:].lstrip())
    if full.startswith(stripped, start + lead):
        return start + lead, stripped
    return start, None


def _fill(
    weights: list[float],
    offsets: list[tuple[int, int]],
    start: int,
    end: int,
    content_start: int,
    spans: list[CharSpan],
) -> None:
    """Give tokens [start, end) the weight of the span in which each one's last character lies."""
    spans_left = iter(spans)
    span = next(spans_left, None)
    for index in range(start, end):
        last_char = max(offsets[index][1] - 1, offsets[index][0]) - content_start
        while span is not None and last_char >= span.end:
            span = next(spans_left, None)
        # Behind the content lies what the template adds in front of the end token: the student writes that too.
        weights[index] = 1.0 if span is None else span.weight
