"""Tables written by hand in docs/ name what the code has, all of it."""

import inspect
import re
from pathlib import Path

import typer.main

from agentdistill import doctor, plugins, types
from agentdistill.cli import app
from agentdistill.config import SelectConfig
from agentdistill.types import StopReason

DOCS = Path(__file__).parents[3] / "docs"


def rows(page: str, heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, header and rule left out."""
    section = (DOCS / page).read_text(encoding="utf-8").split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    table = re.findall(r"^\| (.*) \|$", section, re.M)
    return [[cell.strip().strip("`") for cell in row.split(" | ")] for row in table[1:]]


def commands(group: object, prefix: str = "") -> set[str]:
    found = set()
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        found |= commands(command, f"{prefix}{name} ") if hasattr(command, "commands") else {prefix + name}
    return found


def test_every_stop_reason_stands_in_the_table_with_its_meaning() -> None:
    source = inspect.getsource(StopReason)
    meanings = dict(re.findall(r'= "(\w+)"  # (.+)', source))
    expected = [
        [reason, meanings[reason], "system" if StopReason(reason).is_system else "agent"] for reason in meanings
    ]
    assert set(meanings) == {str(reason) for reason in StopReason}
    assert rows("rollout.md", "How an episode ends") == expected


def test_every_invalid_action_is_named() -> None:
    text = (DOCS / "rollout.md").read_text(encoding="utf-8")
    assert all(f"`{error}`" in text for error in types.ActionError)


def test_every_selection_switch_stands_in_the_table() -> None:
    switches = {name for row in rows("rollout.md", "Selection") for name in re.findall(r"\w+", row[3])}
    # The prompt and the maker drop nothing.
    assert switches - {"always"} | {"prompt", "make"} == set(SelectConfig.__dataclass_fields__)


def test_every_command_has_a_row() -> None:
    page = (DOCS / "cli.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^\| `([a-z ]+)` \|", page, re.M))
    assert named == commands(typer.main.get_command(app))


def test_every_kind_that_a_user_can_bring_has_a_row() -> None:
    page = (DOCS / "extending.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^\| `(\w+)` \|", page, re.M)) == sorted(plugins.DOORS)


def test_every_row_of_doctor_is_explained() -> None:
    explained = {name.strip() for row in rows("install.md", "`agentdistill doctor`") for name in row[0].split(",")}
    # From the source, as examining the machine would import torch.
    assert explained == set(re.findall(r'(?:Finding|_package)\(\s*"([^"]+)"', inspect.getsource(doctor)))
