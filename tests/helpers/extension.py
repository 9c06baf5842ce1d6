"""The package of examples/extension, installed as pip installs it, into a folder of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "examples" / "extension"
PACKAGE = "agentdistill_riddles"
CONFIG = SOURCE / "riddles.yaml"


def install(folder: Path) -> Path:
    """The folder that a Python has to have on its path to find the package and its entry points."""
    copied, target = folder / "source", folder / "site"
    shutil.copytree(SOURCE, copied, ignore=shutil.ignore_patterns("__pycache__"))  # building leaves files behind
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index"]
    command += ["--no-deps", "--no-build-isolation", "--target", str(target), str(copied)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr
    return target


def command(site: Path, *arguments: str) -> str:
    """What a command says in a fresh Python that finds the installed package."""
    environment = {**os.environ, "PYTHONPATH": str(site)}
    ended = subprocess.run(
        [sys.executable, "-m", "agentdistill", *arguments],
        cwd=site.parent, env=environment, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    return ended.stdout
