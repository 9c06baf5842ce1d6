"""docs/configuration.md says what the config accepts, today."""

import dataclasses
import importlib.util
import re
import shlex
import typing
from pathlib import Path
from types import ModuleType

import pytest

from agentdistill.config import RunConfig, load
from agentdistill.errors import ConfigError

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "configuration.md"


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_configuration", ROOT / "docs" / "make_configuration.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def config_classes(cls: type) -> set[type]:
    """Every config class that can be reached from `cls`, lists and optional sections included."""
    found = {cls}
    for hint in typing.get_type_hints(cls).values():
        for part in (hint, *typing.get_args(hint)):
            if dataclasses.is_dataclass(part) and isinstance(part, type):
                found |= config_classes(part)
    return found


def shown_refusals() -> list[tuple[str, str]]:
    """(command, output) of each refused command that the page shows."""
    return re.findall(r"^\$ agentdistill config (.+)\nagentdistill: (.+)$", PAGE.read_text(encoding="utf-8"), re.M)


def test_the_tables_are_those_of_the_dataclasses() -> None:
    current = PAGE.read_text(encoding="utf-8")
    assert generator().page(current) == current, "out of date: run `python docs/make_configuration.py`"


def test_every_section_has_a_table() -> None:
    assert {cls for cls, _ in generator().SECTIONS} == config_classes(RunConfig)


def test_every_key_has_a_meaning() -> None:
    made = generator()
    without = [
        made.meaning_key(cls, item.name)
        for cls, _ in made.SECTIONS
        for item in dataclasses.fields(cls)
        if not made.meaning_of(cls, item.name, made.comments_of(cls))
    ]
    assert not without, "expected a comment at the end of each field's line"


def test_every_explained_key_is_there() -> None:
    made = generator()
    known = {made.meaning_key(cls, item.name) for cls, _ in made.SECTIONS for item in dataclasses.fields(cls)}
    assert set(made.MEANINGS) <= known


@pytest.mark.parametrize(("command", "output"), shown_refusals())
def test_a_shown_refusal_is_what_the_command_says(command: str, output: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    option, file, *overrides = shlex.split(command)
    assert option == "--config"
    with pytest.raises(ConfigError) as raised:
        load(file, overrides)
    assert str(raised.value) == output


def test_the_page_shows_three_refusals() -> None:
    assert len(shown_refusals()) == 3
