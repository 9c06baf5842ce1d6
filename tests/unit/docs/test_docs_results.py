"""docs/results.md has the tables of the episodes that are recorded, and the configs that it tells to run."""

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from agentdistill.config import load

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "results.md").read_text()


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_results", ROOT / "docs" / "make_results.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look it up there
    spec.loader.exec_module(module)
    return module


def test_the_tables_are_those_of_the_recorded_episodes(generator) -> None:
    assert generator.page(PAGE) == PAGE, "run: python docs/make_results.py"


def test_a_page_without_a_mark_is_refused(generator) -> None:
    with pytest.raises(ValueError, match="expected the marks"):
        generator.page(PAGE.replace("<!-- end of behaviour -->", ""))


def test_every_recorded_file_is_a_row_of_a_table(generator) -> None:
    known = {f"{run}/{cell}" for run, cell in generator.CELLS.values()}
    known |= {f"{run}/teacher" for run in generator.TEACHERS.values()}
    files = generator.RECORDED.rglob("*.parquet")
    assert {str(file.relative_to(generator.RECORDED).with_suffix("")) for file in files} <= known


def test_cells_are_those_of_the_configs(generator) -> None:
    for run, cell in generator.CELLS.values():
        config = load(ROOT / "configs" / "real" / f"{run}.yaml", [])
        assert cell in [known.name for known in config.evaluate.cells]


def test_the_configs_to_repeat_it_with_are_there() -> None:
    named = re.findall(r"--config (\S+)", PAGE)
    assert named
    for path in named:
        load(ROOT / path, [])
