"""What the project's own files say of it: one version, and a table of the rooms that are there."""

import re
from pathlib import Path

from setuptools.config.pyprojecttoml import read_configuration

import agentdistill

ROOT = Path(__file__).parents[3]


def test_the_version_is_stated_once() -> None:
    assert read_configuration(ROOT / "pyproject.toml")["project"]["version"] == agentdistill.__version__


def test_the_images_that_the_cluster_files_name_have_the_version() -> None:
    files = [path for path in (ROOT / "cluster").rglob("*.yaml") if path.is_file()]
    text = "\n".join(path.read_text() for path in [*files, ROOT / "docs" / "cluster.md"])
    assert set(re.findall(r"registry\.example\.com/agentdistill:([\w.]*\w)", text)) == {agentdistill.__version__}


def test_the_changelog_begins_with_what_is_not_released_yet() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert headings[0] == "Unreleased"


def test_every_change_says_what_to_change() -> None:
    entries = re.split(r"^- \*\*", (ROOT / "CHANGELOG.md").read_text(), flags=re.M)[1:]
    assert entries
    assert [entry.splitlines()[0] for entry in entries if "*To change: " not in entry] == []


def test_every_room_is_in_the_table_of_rooms_once() -> None:
    section = (ROOT / "CONTRIBUTING.md").read_text().partition("## The house")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    named = re.findall(r"`(\w+)`", " ".join(rows))
    below = (ROOT / "agentdistill").iterdir()
    rooms = [path.stem for path in below if path.suffix == ".py" or (path / "__init__.py").is_file()]
    assert sorted(named) == sorted(room for room in rooms if not room.startswith("__"))
