"""The prompts, one versioned file each: NAME_vN.md. A change of wording is a new file, never an edit.

A file is a jinja2 template over `tools`, what the agent can call beside `final_answer` (a list of ToolText).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import jinja2

from agentdistill.config.prompts import SUFFIX, built_in, expected_prompt, is_path, newest
from agentdistill.errors import ConfigError
from agentdistill.types import ToolText

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_TEMPLATES = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
_TEMPLATES.filters["in_words"] = lambda number: _NUMBERS[number] if number < len(_NUMBERS) else str(number)


@dataclass(frozen=True, slots=True)
class SystemPrompt:
    """What the model reads, and the version that trajectories record."""

    text: str
    version: str  # "teacher_v2-3fa9c1d2": the file, and the first 8 hex digits of the text's SHA-256


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt file."""

    name: str  # with its version: "teacher_v2"
    template: str

    def render(self, tools: tuple[ToolText, ...] = ()) -> SystemPrompt:
        """The prompt of an agent with these tools. Raises ConfigError where the file is no template."""
        return _render(self, tuple(tools))


def load_prompt(name: str) -> Prompt:
    """Return the newest version of `name` ("teacher"), the version asked for ("teacher_v1"), or a user's .md file.

    Raises ConfigError where there is no such prompt.
    """
    expected = expected_prompt(name)
    if expected is not None:
        raise ConfigError(f"prompt {name!r}: there is no such prompt, expected {expected}")
    if is_path(name):
        return Prompt(Path(name).name.removesuffix(SUFFIX), Path(name).read_text(encoding="utf-8"))
    return _built_in(name)


@cache
def _built_in(name: str) -> Prompt:
    texts = built_in()
    found = newest(name, list(texts))
    assert found is not None
    return Prompt(found, texts[found])


@cache
def _render(prompt: Prompt, tools: tuple[ToolText, ...]) -> SystemPrompt:
    try:
        text = _TEMPLATES.from_string(prompt.template).render(tools=tools).strip()
    except jinja2.TemplateError as error:
        raise ConfigError(f"prompt {prompt.name!r}: is no template over `tools`: {error}") from error
    return SystemPrompt(text, f"{prompt.name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}")
