"""The install script says in one sentence what this machine lacks."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def install(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", "requirements/install.sh", *arguments],
        cwd=ROOT, env={"PATH": "/nowhere", **environment}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip


def test_no_compiler(tmp_path: Path) -> None:
    ended = install(sys.executable, str(tmp_path / "venv"))
    assert ended.returncode == 2
    assert "no C++ compiler is there" in ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_no_python(tmp_path: Path) -> None:
    ended = install("python-that-is-not-there", str(tmp_path / "venv"))
    assert ended.returncode == 2
    assert "expected Python 3.11 or newer" in ended.stderr


def test_a_python_that_is_too_old(tmp_path: Path) -> None:
    old = tmp_path / "old-python"
    old.write_text('#!/bin/sh\n[ "$1" = -c ] && exit 1\necho Python 3.9.1\n')
    old.chmod(0o755)
    ended = install(str(old), str(tmp_path / "venv"), PATH=os.environ["PATH"])
    assert ended.returncode == 2
    assert "Python 3.9.1, expected Python 3.11 or newer" in ended.stderr


@pytest.mark.parametrize("script", ["requirements/install.sh", ".ci/run"])
def test_shell_scripts_pass_shellcheck(script: str) -> None:
    checker = Path(sys.executable).parent / "shellcheck"
    ended = subprocess.run([str(checker), script], cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout


def test_ci_calls_the_readmes_test_command() -> None:
    assert (ROOT / ".ci" / "run").read_text().rstrip().endswith("make test")
    assert "make test" in (ROOT / "README.md").read_text()


def test_every_pinned_package_is_there_at_its_pin() -> None:
    from importlib import metadata

    wrong = []
    for line in (ROOT / "requirements" / "cpu.txt").read_text().split():
        name, _, version = line.partition("==")
        found = metadata.version(name).partition("+")[0]
        if found != version:
            wrong.append(f"{name} {found} instead of {version}")
    assert wrong == []
