"""Examples as the student will see them, trained tokens in colour: what `agentdistill train --preview 3` prints."""

from __future__ import annotations

import itertools
from typing import Any

from rich.text import Text

from agentdistill import models
from agentdistill.config.train import TrainConfig
from agentdistill.train.data.examples import read_examples
from agentdistill.train.data.render import Rendered, Renderer
from agentdistill.train.data.tokenizer import load_tokenizer, stop_token_ids

_TRAINED = "bold green"
_OTHER_WEIGHT = "bold yellow"
_UNTRAINED = "dim"


def preview(config: TrainConfig, examples_path: str, count: int) -> list[Text]:
    """Return the first `count` examples as coloured text: green trained, yellow with another weight than 1, dim not.

    Raises UserError where the model or an example cannot be used.
    """
    examples = iter(read_examples(examples_path))
    first = list(itertools.islice(examples, 1))  # a file that is not there is said before a model is loaded
    model = models.resolve(config.model)
    tokenizer = load_tokenizer(model, config.revision)
    renderer = Renderer(tokenizer, stop_token_ids(model, tokenizer, config.revision), config)
    texts: list[Text] = []
    for example in itertools.chain(first, examples):
        if len(texts) >= count:
            break
        texts.extend(paint(sequence, tokenizer) for sequence in renderer.render(example))
    return texts


def paint(sequence: Rendered, tokenizer: Any) -> Text:
    """One sequence as coloured text under a line with its id and counts."""
    share = sequence.num_trained / sequence.num_tokens
    part = f" part {sequence.part + 1}" if sequence.part else ""
    text = Text(
        f"{sequence.example_id}{part}: {sequence.num_tokens} tokens, {sequence.num_trained} trained ({share:.0%})\n",
        style="bold",
    )
    start = 0
    for end in range(1, sequence.num_tokens + 1):
        if end < sequence.num_tokens and sequence.weights[end] == sequence.weights[start]:
            continue
        # Runs of equal weight are decoded together: one token may be only part of a character.
        text.append(tokenizer.decode(list(sequence.token_ids[start:end])), style=_style(sequence.weights[start]))
        start = end
    text.append("\n")
    return text


def _style(weight: float) -> str:
    if weight == 0:
        return _UNTRAINED
    return _TRAINED if weight == 1 else _OTHER_WEIGHT
