"""Loading the student's tokenizer, and refusing one that cannot be trained with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from agentdistill.errors import ConfigError, MissingPartError


def load_tokenizer(folder: str, revision: str | None = None) -> Any:
    """Return the tokenizer at `folder` (a folder or a hub id).

    Raises ConfigError where there is none, where it has no chat template, or where it is not a fast tokenizer (the
    loss weights need the characters behind each token).
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, revision=revision)
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(unknown_model(folder, error)) from error
    if not tokenizer.chat_template:
        raise ConfigError(
            f"train.model = {folder}: its tokenizer has no chat template, expected an instruction-tuned model; "
            "put a chat_template.jinja into the model's folder, or train the Instruct variant"
        )
    if not tokenizer.is_fast:
        raise ConfigError(f"train.model = {folder}: it has only a slow tokenizer, expected one with a tokenizer.json")
    return tokenizer


def unknown_model(folder: str, error: BaseException) -> str:
    """One sentence for a model that cannot be found or read."""
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if Path(folder).is_dir():
        return f"train.model = {folder}: this folder is not a model that transformers can read: {reason}"
    return (
        f"train.model = {folder}: no such model; expected a preset (smollm2-135m), a folder with config.json and "
        f"weights, or a hub id that this machine can reach ({reason})"
    )


def load_model_config(folder: str, revision: str | None = None) -> Any:
    """Return the model's config. Raises ConfigError where there is none."""
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(folder, revision=revision)
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(unknown_model(folder, error)) from error


def stop_token_ids(folder: str, tokenizer: Any, revision: str | None = None) -> frozenset[int]:
    """The tokens at which engines stop for this model: its generation config's, and its tokenizer's end token."""
    from transformers import GenerationConfig

    ids: set[int] = set()
    if tokenizer.eos_token_id is not None:
        ids.add(int(tokenizer.eos_token_id))
    try:
        eos = GenerationConfig.from_pretrained(folder, revision=revision).eos_token_id
    except OSError:
        eos = None  # many folders have no generation_config.json; the tokenizer's end token is what engines use then
    if eos is not None:
        ids.update(int(token) for token in (eos if isinstance(eos, list | tuple) else [eos]))
    if not ids:
        raise ConfigError(f"train.model = {folder}: neither its tokenizer nor its generation config names an end token")
    return frozenset(ids)


def check_vocabulary(folder: str, tokenizer: Any, model_config: Any) -> None:
    """Raise ConfigError where a token id has no row in the model's embedding."""
    text_config = model_config.get_text_config()
    size, rows = len(tokenizer), int(text_config.vocab_size)
    if size > rows:
        raise ConfigError(
            f"train.model = {folder}: its tokenizer has {size} tokens, its embedding only {rows} rows, expected at "
            "least as many; the tokenizer belongs to another model, or the model was not resized after adding tokens"
        )


def require_fast_parts() -> None:
    """Raise MissingPartError where the packages that training needs are not installed."""
    import importlib.util

    for name in ("torch", "transformers", "peft"):
        if importlib.util.find_spec(name) is None:
            raise MissingPartError(f"training needs the package {name}; run `pip install {name}`")
