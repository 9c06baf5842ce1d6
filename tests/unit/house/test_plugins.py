"""The one way in for what a user brings: three places, one sentence where there is nothing to be had."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import own_parts
import pytest

from agentdistill import plugins
from agentdistill.errors import ConfigError
from agentdistill.tasks.world.expert import expert as world_expert

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Makes the metadata of a package that is installed, with its entry points for one kind."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(package: str, kind: str, **points: str) -> None:
        folder = tmp_path / f"{package}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        lines = "".join(f"{name} = {value}\n" for name, value in points.items())
        (folder / "entry_points.txt").write_text(f"[agentdistill.{kind}]\n{lines}")
        plugins.forget_installed()

    yield make
    plugins.forget_installed()


def refusal(kind: str, name: str) -> str:
    with pytest.raises(ConfigError) as caught:
        plugins.load(kind, name)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{kind} {name!r}: ")
    return message


@pytest.mark.parametrize("kind", plugins.DOORS)
def test_every_kind_says_what_it_expects_of_an_unknown_name(kind: str) -> None:
    message = refusal(kind, "no-such-name")
    for way in (
        f"a known {kind} (",
        f"the entry point agentdistill.{kind} of an installed package",
        "package.module:name",
    ):
        assert way in message


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, found in plugins.BUILT_IN.items() for name in found])
def test_every_built_in_part_is_what_its_own_door_asks_for(kind: str, name: str) -> None:
    assert plugins.is_known(kind, name)
    assert plugins.load(kind, name) is not None


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("engine", "vlm", "there is none of that name; expected a known engine (vllm, openai, scripted), "),
        ("engine", "scriptd", "did you mean scripted?"),
        ("rule", "anything", "a known rule (none is built in)"),
        ("expert", "", "there is none of that name"),
        ("rule", "breaks_at_import:rule", "cannot be imported: ZeroDivisionError: division by zero"),
        ("rule", "ends_at_import:rule", "cannot be imported: SystemExit: 3"),
        ("rule", "no.such.module:rule", "cannot be imported: ModuleNotFoundError: No module named 'no'"),
        ("rule", "own_parts:no_such_rule", "cannot be imported: AttributeError"),
        ("rule", "own_parts:pairs.no.such", "cannot be imported: AttributeError"),
        ("rule", "own_parts:", "expected package.module:name"),
        ("rule", ":rule", "expected package.module:name"),
        ("rule", ".relative:rule", "expected package.module:name"),
        ("rule", "own_parts:forecast:more", "expected package.module:name"),
        ("rule", "own parts:rule", "expected package.module:name"),
        ("rule", "own_parts:close_enough", "is close_enough(question: agentdistill"),
        ("engine", "own_parts:not_an_opener", "expected an async function (EngineConfig)"),
        ("grader", "own_parts:not_async", "is not async, expected an async function (question, answer)"),
        ("task", "string:digits", "is a str, expected a function (TaskConfig)"),
        ("maker", "own_parts:not_an_opener", "expected a function (list of Trajectory)"),
        ("format", "own_parts:riddles", "lacks column, fits, read, expected an object with column"),
        ("tool", "string:digits", "lacks __name__, __call__, expected a function with a docstring"),
    ],
)
def test_what_cannot_be_had_is_refused_in_one_sentence(
    kind: str, name: str, message: str, tmp_path, monkeypatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "breaks_at_import.py").write_text("1 / 0\n")
    (tmp_path / "ends_at_import.py").write_text("raise SystemExit(3)\n")
    assert message in refusal(kind, name)


def test_an_entry_point_is_found_by_its_name_and_listed(install: Install) -> None:
    install("riddle-pack", "task", riddles="own_parts:riddles")
    assert plugins.load("task", "riddles") is own_parts.riddles
    assert "riddles" in plugins.names("task")
    assert plugins.is_known("task", "riddles")
    assert not plugins.is_known("rule", "riddles")
    assert "a known task (riddles)" in refusal("task", "ridles")


def test_a_name_that_two_packages_claim_is_refused_with_both(install: Install) -> None:
    install("one-pack", "rule", strict="own_parts:second_thoughts")
    install("other-pack", "rule", strict="own_parts:no_rule")
    assert "one-pack and other-pack both claim the name" in refusal("rule", "strict")


def test_two_packages_that_name_the_same_part_agree(install: Install) -> None:
    for package in ("one-pack", "other-pack"):
        install(package, "rule", strict="own_parts:second_thoughts")
    assert plugins.load("rule", "strict") is own_parts.second_thoughts


def test_a_built_in_name_stays_ours_whoever_claims_it(install: Install) -> None:
    install("bold-pack", "expert", world="own_parts:forecast")
    assert plugins.load("expert", "world") is world_expert
    assert plugins.names("expert").count("world") == 1


def test_an_entry_point_whose_package_is_gone_names_the_package(install: Install) -> None:
    install("half-pack", "rule", half="gone_since:rule")
    message = refusal("rule", "half")
    assert "gone_since:rule of the package half-pack cannot be imported: ModuleNotFoundError" in message


def test_an_entry_point_that_names_a_module_alone_is_refused(install: Install) -> None:
    install("odd-pack", "rule", odd="own_parts")
    message = refusal("rule", "odd")
    assert "own_parts of the package odd-pack names no part of a module, expected package.module:name" in message


def test_nothing_is_imported_before_it_is_asked_for(tmp_path: Path, install: Install) -> None:
    (tmp_path / "late_part.py").write_text("def rule(trajectory):\n    return None\n")
    install("late-pack", "rule", late="late_part:rule")
    assert plugins.is_known("rule", "late")
    assert plugins.is_known("rule", "late_part:rule")
    assert "late" in plugins.names("rule")
    assert "late_part" not in sys.modules
    assert isinstance(sys.modules[plugins.load("rule", "late").__module__], ModuleType)
