"""Which system prompts there are: the built-in ones by name, a user's own by path."""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

#: Names of before, when whether there is a retriever was a prompt of its own.
_RENAMED = {"teacher_code": "teacher", "student_code": "student"}
SUFFIX = ".md"
_EXPLAINED = ("thought_code", "chain_of_thought")  # the protocols that built-in prompts explain


@functools.cache
def built_in() -> dict[str, str]:
    """The text of each built-in prompt by its name with version ("teacher_v2"). Not to be changed."""
    folder = files("agentdistill").joinpath("agent", "prompts")
    named = [item for item in folder.iterdir() if item.name.endswith(SUFFIX)]
    return {item.name.removesuffix(SUFFIX): item.read_text(encoding="utf-8") for item in named}


def is_path(name: str) -> bool:
    """Whether it names a file of the user's."""
    return name.endswith(SUFFIX)


def newest(name: str, known: list[str]) -> str | None:
    """Of the names with version the newest of `name` ("teacher"), or the one asked for ("teacher_v1")."""
    versions = [key for key in known if key == name or re.fullmatch(rf"{re.escape(name)}_v\d+", key)]
    return max(versions, key=lambda key: int(key.rpartition("_v")[2]), default=None)


def expected_prompt(name: str) -> str | None:
    """What was expected in place of a name that names no prompt; None where there is one."""
    if name in _RENAMED:
        return f"{_RENAMED[name]}, which speaks of search only where there is a retriever"
    if is_path(name):
        return None if Path(name).is_file() else "the path of a file that exists"
    known = sorted(built_in())
    if newest(name, known) is not None:
        return None
    short = sorted({key.rpartition("_v")[0] for key in known})
    near = difflib.get_close_matches(name, short, n=2, cutoff=0.5)
    listed = ", ".join([*near, *(other for other in short if other not in near)])
    nearest = f"; did you mean {' or '.join(near)}?" if near else ""
    return f"a known prompt ({listed}; with _v1 a version of it), or the path of a {SUFFIX} file{nearest}"


def prompt_problems(key: str, name: str | None) -> Iterator[tuple[str, str, str]]:
    """What `problems()` of a section yields where the name names no prompt."""
    if name is not None and (expected := expected_prompt(name)) is not None:
        yield key, name, expected


def protocol_problems(key: str, name: str | None, protocol: str | None) -> Iterator[tuple[str, str, str]]:
    """What `problems()` of a section yields where a built-in prompt explains another protocol than this one."""
    if protocol not in (None, *_EXPLAINED) and name in ("teacher", "student"):
        yield key, name, f"a prompt that explains the protocol {protocol}, or null for its own"
