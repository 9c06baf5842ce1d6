"""The house holds: imports run without circles, sizes stay small, names exist and mean one thing."""

from pathlib import Path

import house
import pytest

ROOT = Path(__file__).parents[3]
PACKAGE = "agentdistill"
FOLDERS = (PACKAGE, "rayjobs", "benchmarks", "cluster", "docs", "examples", "tests")
#: Folders with more files than the bound, and why.
FULL_FOLDERS = {
    "agentdistill/config": "one section of the settings a file",
    "agentdistill/retrieval": "one process of many small steps, which share corpus, encoder, store and manifest",
}
#: Names that several rooms show, and why.
SHARED_NAMES = {
    "Student": "train.Student is the module that learns, run.Student the handle of what training made",
    "load": "plugins.load and config.load: what a name stands for, and what a file holds",
    "main": "the entry of a program",
    "select": "a command is named as the verb that it runs",
    "train": "a command is named as the verb that it runs",
}


def tree(folder: Path, **files: str) -> Path:
    """A small package `p` below the folder; `a__b="..."` is its file a/b.py."""
    for name, text in {"__init__": "", **files}.items():
        path = folder / "p" / f"{name.replace('__', '/') if name != '__init__' else name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_there_is_no_import_circle() -> None:
    assert house.import_circles(ROOT, PACKAGE) == []


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("from p.b import thing", "import p.a"),
        ("from p import b", "def f():\n    from p.a import x"),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from p.b import thing", "from . import a"),
        ("from .b import thing", "from .a import x"),
    ],
)
def test_a_circle_of_imports_is_shown_whole(tmp_path: Path, a: str, b: str) -> None:
    assert house.import_circles(tree(tmp_path, a=a, b=b), "p") == ["p.a -> p.b -> p.a"]


def test_a_module_that_imports_its_own_rooms_face_is_a_circle(tmp_path: Path) -> None:
    folder = tree(tmp_path, room__x="from p.room import Thing", room__y="")
    (folder / "p/room/__init__.py").write_text("from p.room.x import y\nfrom p.room import y as other\n")
    assert house.import_circles(folder, "p") == ["p.room -> p.room.x -> p.room"]


def test_the_shortest_circle_is_shown_and_each_once(tmp_path: Path) -> None:
    folder = tree(tmp_path, a="import p.b, p.c", b="import p.c", c="import p.a", d="import p.e", e="import p.d")
    assert house.import_circles(folder, "p") == ["p.a -> p.c -> p.a", "p.d -> p.e -> p.d"]


def test_imports_that_run_one_way_are_no_circle(tmp_path: Path) -> None:
    assert (
        house.import_circles(tree(tmp_path, a="from p import b\nimport json", b="from p.c import x", c=""), "p") == []
    )


def test_functions_fit_on_a_screen() -> None:
    assert house.long_functions(ROOT, FOLDERS) == []


def test_a_function_that_is_too_long_is_named(tmp_path: Path) -> None:
    text = "async def fits():\n    x = 1\n\nclass C:\n    def long(self):\n        x = 1\n        y = 2\n"
    found = house.long_functions(tree(tmp_path, a=text), ["p"], lines=2)
    assert found == ["p/a.py:5: long has 3 lines, expected at most 2"]


def test_files_are_short() -> None:
    assert house.long_files(ROOT, FOLDERS) == []


def test_a_file_that_is_too_long_is_named(tmp_path: Path) -> None:
    folder = tree(tmp_path, a="x = 1\n" * 3, room__b="x = 1\n" * 4)
    assert house.long_files(folder, ["p"], lines=3) == ["p/room/b.py: 4 lines, expected at most 3"]


def test_folders_hold_few_files() -> None:
    assert set(house.full_folders(ROOT, PACKAGE)) == set(FULL_FOLDERS)


def test_a_folder_of_too_many_files_is_named(tmp_path: Path) -> None:
    folder = tree(tmp_path, room__a="", room__b="", room__c="")
    assert house.full_folders(folder, "p", files=2) == ["p/room"]


def test_names_in_strings_exist() -> None:
    sources = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    texts = [
        ROOT / "pyproject.toml",
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "configs").rglob("*.yaml"),
    ]
    assert house.dangling_names(ROOT, PACKAGE, [*sources, *texts]) == []


def test_a_name_in_a_string_that_does_not_exist_is_named(tmp_path: Path) -> None:
    good = "'p.room.a:run p.room.a:K p.room.a:T p.room:Path other.p.none:x p.room.a:run.it'"
    folder = tree(tmp_path, room__a="def run(): pass\nK = 1\nT: int = 2\n", names=good)
    (folder / "p/room/__init__.py").write_text("from pathlib import Path\n")
    (folder / "page.md").write_text("`p.rooms.a:run` and `p.room.a:walk`")
    assert house.dangling_names(folder, "p", [folder / "p/names.py", folder / "page.md"]) == [
        "page.md: p.rooms.a:run: there is no module p.rooms.a",
        "page.md: p.room.a:walk: p.room.a has no walk",
    ]


def test_what_rooms_show_each_other_has_one_meaning() -> None:
    assert {name: rooms for name, rooms in house.shared_names(ROOT, PACKAGE).items() if name not in SHARED_NAMES} == {}


@pytest.mark.parametrize("name", SHARED_NAMES)
def test_what_is_excepted_is_still_there(name: str) -> None:
    assert name in house.shared_names(ROOT, PACKAGE)


def test_a_name_that_two_rooms_have_is_named_where_one_shows_it(tmp_path: Path) -> None:
    folder = tree(
        tmp_path,
        one__a="class Run: pass\ndef within(): pass\ndef _own(): pass\nclass Shown: pass",
        two__b="class Run: pass\ndef within(): pass\ndef _own(): pass\nclass Shown: pass",
        two__c="from p.two.b import within\nfrom p.one.a import Run",
    )
    (folder / "p/two/__init__.py").write_text("from p.two.b import Shown\n")
    assert house.shared_names(folder, "p") == {"Run": {"one", "two"}, "Shown": {"one", "two"}}


def test_configs_holds_what_the_test_of_config_files_loads() -> None:
    """tests/unit/config/test_config_load.py loads every YAML file with the schema of a run."""
    others = [path for path in (ROOT / "configs").rglob("*") if path.is_file() and path.suffix != ".yaml"]
    assert others == []
