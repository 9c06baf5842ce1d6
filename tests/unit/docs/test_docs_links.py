"""What the pages at the root and in docs/ name is there: links, paths, commands and their settings."""

import contextlib
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from agentdistill.cli import app
from agentdistill.cli.phases import DEMO_CONFIG
from agentdistill.config import RunConfig, load

ROOT = Path(__file__).parents[3]
OWN = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
EXAMPLES = sorted(ROOT.glob("examples/*/*.md"))  # whose commands need the example to be installed: its tests do that
PAGES = [*OWN, *EXAMPLES]
FOLDERS = "agentdistill|benchmarks|cluster|configs|docs|examples|rayjobs|requirements|tests"

LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*$", re.M)
FENCED = re.compile(r"^(?P<fence>`{3,})(?P<language>\w*)[^\n]*\n(?P<body>.*?)^(?P=fence)[ \t]*$", re.M | re.S)
REPOSITORY_PATH = re.compile(rf"(?<![\w/.~$}}:-])(?:{FOLDERS})/[\w./{{}},*-]*")
ROOT_FILE = re.compile(r"`(Makefile|LICENSE|pyproject\.toml|\.ci/run)`")
SPAN = re.compile(r"`([^`\n]+)`")
PROMPT = re.compile(r"^\s*(?:\$ )?(?:[A-Z_]+=\S+ )*(?:\S*/)?(?:python -m )?(agentdistill [^|#>]*)")
JOB = re.compile(r"python rayjobs/(\w+)\.py ([^|#>]*)")
OVERRIDE = re.compile(r"^[a-z_][\w.\[\]]*=")


def ids(pages: list[Path]) -> list[str]:
    return [str(page.relative_to(ROOT)) for page in pages]


def anchors(page: Path) -> set[str]:
    """The anchors that a Markdown host makes of the headings."""
    headings = HEADING.findall(FENCED.sub("", page.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def named_paths(text: str) -> set[str]:
    """Paths below the repository's own folders; NAME and ... stand for anything, {a,b} for both."""
    found = {path.rstrip(".,") for path in REPOSITORY_PATH.findall(text)} | set(ROOT_FILE.findall(text))
    return {one for path in found for one in _expand(path) if not re.search(r"(?:^|/)[A-Z_]{2,}\b|\.\.\.", one)}


def _expand(path: str) -> list[str]:
    braces = re.search(r"\{([^{}]*)\}", path)
    if braces is None:
        return [path]
    return [
        one
        for choice in braces[1].split(",")
        for one in _expand(path[: braces.start()] + choice + path[braces.end() :])
    ]


def is_there(path: str) -> bool:
    return any(ROOT.glob(path.rstrip("/"))) if "*" in path else (ROOT / path).exists()


def command_lines(text: str) -> list[str]:
    """Every `agentdistill ...` command line, in code blocks and code spans; job files as the command they are."""
    joined = text.replace("\\\n", " ")
    blocks = [line for block in FENCED.finditer(joined) for line in block["body"].splitlines()]
    blocks += re.findall(r"^    .*$", FENCED.sub("", joined), re.M)
    found = []
    for line in [*blocks, *SPAN.findall(FENCED.sub("", joined))]:
        if match := PROMPT.match(line):
            found.append(match[1].strip())
        elif match := JOB.search(line):
            command = {"index": "index build", "recipe": "recipe run"}.get(match[1], match[1])
            found.append(f"agentdistill {command} {match[2]}".strip())
    return [line for line in dict.fromkeys(found) if not is_prose(line)]


def is_prose(line: str) -> bool:
    """Whether something stands for the arguments, as in `agentdistill config ...`."""
    return "..." in line.split() or not re.match(r"agentdistill [a-z-]", line)


def parse(line: str) -> tuple[str, dict[str, Any]]:
    """The command's name and its parameters. Raises what click raises on a wrong line."""
    words = shlex.split(line)[1:]
    command: Any = typer.main.get_command(app)
    path = []
    if words and words[0].startswith("-"):
        with contextlib.suppress(typer.Exit):
            command.make_context("agentdistill", list(words))
        return "agentdistill", {}
    while hasattr(command, "commands") and words:
        assert words[0] in command.commands, f"no command {' '.join([*path, words[0]])!r}"
        command = command.commands[words[0]]
        path.append(words.pop(0))
    if hasattr(command, "commands"):
        return " ".join(path), {}
    # A command named in a sentence may come without its arguments; what is written must be right.
    required = [item for item in command.params if item.param_type_name == "argument" and item.required]
    words += ["X"] * (len(required) if not words else 0)
    return " ".join(path), command.make_context(path[-1], list(words)).params


def configs(text: str) -> list[dict[str, Any]]:
    """The YAML blocks that are a run's config, or part of one from its root."""
    keys = {"defaults", *RunConfig.__dataclass_fields__}
    blocks = [yaml.safe_load(block["body"]) for block in FENCED.finditer(text) if block["language"] == "yaml"]
    return [block for block in blocks if isinstance(block, dict) and set(block) <= keys]


LINES = [(page.name, line) for page in OWN for line in command_lines(page.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("page", PAGES, ids=ids(PAGES))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    broken = []
    for link in LINK.findall(FENCED.sub("", page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            broken.append(link)
    assert not broken


@pytest.mark.parametrize("page", PAGES, ids=ids(PAGES))
def test_every_path_that_is_named_exists(page: Path) -> None:
    assert not [path for path in sorted(named_paths(page.read_text(encoding="utf-8"))) if not is_there(path)]


@pytest.mark.parametrize(("page", "line"), LINES)
def test_every_command_line_parses(page: str, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    if is_refused(page, line):
        return
    name, parameters = parse(line)
    given = parameters.get("overrides") or []
    overrides = [text for text in given if text != "key=value"]
    assert all(OVERRIDE.match(text) for text in overrides), "expected key=value after the options"
    file = parameters.get("config")
    if name == "demo":
        file = DEMO_CONFIG
    elif file is not None and not str(file).startswith("configs/"):
        file = file if Path(file).is_file() else None  # a config of the reader's own
    if "config" in parameters or name == "demo":
        assert load(file, overrides).name


@pytest.mark.parametrize("page", PAGES, ids=ids(PAGES))
def test_every_config_that_is_shown_loads(page: Path, tmp_path: Path) -> None:
    for content in configs(page.read_text(encoding="utf-8")):
        groups = [entry for entry in content.pop("defaults", []) if isinstance(entry, dict)]
        files = [ROOT / "configs" / group / f"{name}.yaml" for entry in groups for group, name in entry.items()]
        assert all(file.is_file() for file in files)
        (tmp_path / "shown.yaml").write_text(yaml.safe_dump(content))
        assert load(tmp_path / "shown.yaml").name


def is_refused(page: str, line: str) -> bool:
    """Whether the page shows what is wrong with the line: the next line is the refusal."""
    path = ROOT / page if (ROOT / page).is_file() else ROOT / "docs" / page
    text = path.read_text(encoding="utf-8")
    return any(f"{line}\n{refusal}" in text for refusal in ("agentdistill: ", "Usage: "))


def test_the_pages_show_command_lines() -> None:
    assert len({parse(line)[0] for page, line in LINES if not is_refused(page, line)}) > 10
