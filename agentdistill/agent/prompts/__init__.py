"""The prompts, one versioned file each: NAME_vN.md. A change of wording is a new file, never an edit."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from agentdistill.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Prompt:
    """A system prompt and the version that trajectories record."""

    name: str
    version: str  # "teacher_v1-3fa9c1d2": file and the first 8 hex digits of its SHA-256
    system: str


@cache
def load_prompt(name: str) -> Prompt:
    """Return the newest version of `name` ("teacher"), or the version asked for ("teacher_v1").

    Raises ConfigError where there is no such prompt.
    """
    available = {item.name.removesuffix(".md"): item for item in files(__name__).iterdir() if item.name.endswith(".md")}
    versions = [key for key in available if key == name or re.fullmatch(rf"{re.escape(name)}_v\d+", key)]
    if not versions:
        raise ConfigError(f"prompt {name!r}: there is no such prompt, expected one of {', '.join(sorted(available))}")
    newest = max(versions, key=lambda key: int(key.rpartition("_v")[2]))
    text = available[newest].read_text(encoding="utf-8").strip()
    return Prompt(name, f"{newest}-{hashlib.sha256(text.encode()).hexdigest()[:8]}", text)
