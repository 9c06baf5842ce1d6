"""What the benchmark scripts print, and the status they end with."""

from __future__ import annotations

import importlib.util
import json
import math
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

FIELDS = {"name", "ours", "peer", "ratio", "unit", "bound", "holds", "spread"}
FOLDER = Path(__file__).parents[3] / "benchmarks"
SCRIPT = FOLDER / "claims.py"
MEASURING = sorted(path.name for path in FOLDER.glob("*.py") if "finish(" in path.read_text() and path != SCRIPT)


@pytest.fixture(scope="module")
def claims() -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmark_claims", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:  # dataclasses look their module up while it is being loaded
        patch.setitem(sys.modules, spec.name, module)
        spec.loader.exec_module(module)
    return module


def test_a_claim_of_less_compares_its_median_with_the_bound(claims):
    claim = claims.at_most("open", [3.0, 1.0, 2.0], 2, "ms", [8.0, 4.0])
    assert (claim.ours, claim.peer, claim.ratio) == (2.0, 6.0, 3.0)
    assert (claim.bound, claim.holds, claim.spread) == ("<= 2", True, (1.0, 3.0))
    assert not claims.at_most("open", [3.0, 1.0, 2.0], 1.9, "ms").holds


def test_a_claim_of_more_compares_its_median_with_the_bound(claims):
    claim = claims.at_least("rate", [100.0], 120, "1/s", [50.0])
    assert (claim.ratio, claim.bound, claim.holds) == (2.0, ">= 120", False)
    assert claims.at_least("rate", [120.0], 120, "1/s").holds


@pytest.mark.parametrize(("less_is_better", "ratio", "holds"), [(True, 0.5, False), (False, 2.0, True)])
def test_a_claim_against_the_peer_compares_the_ratio(claims, less_is_better, ratio, holds):
    claim = claims.times_better("speed", [10.0], [5.0], 1.5, "x", less_is_better=less_is_better)
    assert (claim.ratio, claim.bound, claim.holds) == (ratio, ">= 1.5x", holds)


def test_nothing_is_divided_by_zero(claims):
    assert claims.at_most("errors", [0.0], 0, "pairs", [5.0]).ratio is None
    assert not claims.times_better("speed", [1.0], [0.0], 1, "q/s", less_is_better=False).holds


def test_the_spread_of_many_values_leaves_the_ends_out(claims):
    assert claims.spread([5.0, 1.0, 3.0]) == (1.0, 5.0)
    assert claims.spread([*range(1, 20), math.inf]) == (3, 18)


def test_json_output_holds_the_claims_the_machine_and_the_facts(claims, capsys):
    assert claims.finish([claims.at_most("open", [1.0], 2, "ms")], True, "title", {"golds": "made here"}) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"claims", "machine", "golds"}
    assert set(found["claims"][0]) == FIELDS
    assert found["machine"]["cores"] >= 1


def test_the_table_names_each_claim_and_a_missed_bound_is_status_1(claims, capsys):
    kept, missed = claims.at_most("open", [1.0], 2, "ms"), claims.at_least("rate", [1.0], 2, "1/s", [4.0])
    assert claims.finish([kept, missed], False, "sandbox", {"vectors": 5}) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "sandbox"
    assert lines[3].split() == ["open", "1", "-", "-", "ms", "<=", "2", "yes", "1", "to", "1"]
    assert lines[4].split() == ["rate", "1", "4", "0.25", "1/s", ">=", "2", "NO", "1", "to", "1"]
    assert lines[5] == "vectors: 5"


@pytest.mark.slow
@pytest.mark.parametrize("name", MEASURING)
def test_every_script_takes_the_same_arguments(name):
    done = subprocess.run([sys.executable, str(FOLDER / name), "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--quick" in done.stdout
    assert "--json" in done.stdout
