"""What a run folder holds, as far as it goes: what is missing or broken becomes a note, not a failure."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from agentdistill import storage
from agentdistill.errors import DataError, RunFolderError
from agentdistill.evaluate.summary import summarize
from agentdistill.report.cells import Cell, Variant
from agentdistill.report.facts import Fact, read_facts
from agentdistill.schema import TRAINING_EXAMPLES
from agentdistill.urls import redact_tree


@dataclass(frozen=True, slots=True)
class Note:
    """Something that the report could not show."""

    run: str
    part: str  # which file or folder of the run
    state: str  # "missing" or "broken"
    detail: str


@dataclass(frozen=True, slots=True)
class Funnel:
    """What selection kept and why it dropped the rest, in trajectories."""

    total: int
    kept: int
    dropped: dict[str, int]


@dataclass(slots=True)
class RunData:
    """One run folder, read."""

    folder: str
    name: str
    config: dict[str, Any] = field(default_factory=dict)  # resolved; empty where there is none
    cells: list[Cell] = field(default_factory=list)
    teacher: Cell | None = None
    metrics: list[dict[str, float]] = field(default_factory=list)  # one logged training step each, in order
    funnel: Funnel | None = None
    trained_keys: frozenset[tuple[str, str, int]] = frozenset()  # trajectories in the training set
    notes: list[Note] = field(default_factory=list)

    def setting(self, path: str, default: Any = None) -> Any:
        """A value of the config by its dotted key, or the default."""
        node: Any = self.config
        for part in path.split("."):
            if not isinstance(node, Mapping) or part not in node:
                return default
            node = node[part]
        return node

    @property
    def everything(self) -> list[Cell]:
        """The evaluation cells, then the teacher's rollouts where there are any."""
        return [*self.cells, *([self.teacher] if self.teacher else [])]

    @property
    def has_scripted_teacher(self) -> bool:
        return self.setting("teacher.engine.engine") == "scripted"

    def note(self, part: str, state: str, detail: str) -> None:
        self.notes.append(Note(self.name, part, state, detail))


def read_run(folder: str) -> RunData:
    """Read a run folder. Raises RunFolderError where there is no such folder or nothing of a run in it."""
    folder = folder.rstrip("/")
    if not storage.exists(folder):
        raise RunFolderError(f"{folder}: no such run folder; expected one that a run has written")
    parts = ("config.yaml", "questions", "trajectories", "training_set", "scores", "metrics.jsonl", "select.json")
    if not any(storage.exists(storage.join(folder, part)) for part in parts):
        raise RunFolderError(f"{folder}: holds nothing of a run; expected at least one of {', '.join(parts)}")
    run = RunData(folder, name=folder.rsplit("/", 1)[-1])
    run.config = _optional(run, "config.yaml", _read_config, {})
    run.name = str(run.config.get("name") or run.name)
    run.metrics = _optional(run, "metrics.jsonl", lambda path: _read_metrics(run, path), [])
    run.funnel = _optional(run, "select.json", _read_funnel, None)
    run.teacher = _read_teacher(run)
    run.cells = _read_cells(run)
    run.trained_keys = _read_trained(run)
    return run


def read_runs(folders: Sequence[str]) -> list[RunData]:
    """Read several run folders; where there is more than one, each gets its own name and its cells carry it."""
    runs = [read_run(folder) for folder in folders]
    if len(runs) < 2:
        return runs
    names = Counter(run.name for run in runs)
    for run in runs:
        name = run.name if names[run.name] == 1 else run.folder
        run.name = name
        run.cells = [replace(cell, run=name, label=f"{name} / {cell.name}") for cell in run.cells]
        if run.teacher:
            run.teacher = replace(run.teacher, run=name, label=f"{name} / teacher")
        run.notes = [replace(note, run=name) for note in run.notes]
    return runs


def _optional(run: RunData, part: str, read: Callable[[str], Any], default: Any) -> Any:
    path = storage.join(run.folder, part)
    try:
        return read(path)
    except FileNotFoundError:
        run.note(part, "missing", f"{path} is not there")
    except (DataError, OSError) as error:
        run.note(part, "broken", str(error))
    return default


def _read_config(path: str) -> dict[str, Any]:
    try:
        content = yaml.safe_load(storage.read_bytes(path).decode())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise DataError(f"{path}: holds a {type(content).__name__}, expected `key: value` lines")
    # A config that was copied there by hand may hold what the run itself would not have stored.
    return dict(redact_tree(content))


def _read_metrics(run: RunData, path: str) -> list[dict[str, float]]:
    """Good lines are kept; a torn one (training may be writing it) is noted with its number."""
    rows = []
    for number, line in enumerate(storage.read_bytes(path).decode(errors="replace").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            run.note("metrics.jsonl", "broken", f"{path} line {number}: not valid JSON: {error}")
            continue
        if not isinstance(row, dict) or not isinstance(row.get("step"), int | float):
            run.note("metrics.jsonl", "broken", f"{path} line {number}: expected an object with a number `step`")
            continue
        rows.append({key: value for key, value in row.items() if _is_number(value)})
    return sorted(rows, key=lambda row: row["step"])


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _read_funnel(path: str) -> Funnel:
    content = storage.read_json(path)
    try:
        kept, dropped = int(content["kept"]), {str(key): int(value) for key, value in content["dropped"].items()}
        total = int(content.get("total", kept + sum(dropped.values())))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(
            f'{path}: expected {{"total": n, "kept": n, "dropped": {{reason: n}}}}, got {error!r}'
        ) from error
    return Funnel(total, kept, dropped)


def _read_teacher(run: RunData) -> Cell | None:
    facts = _read_trajectories(run, "trajectories")
    if not facts:
        return None
    model = "scripted expert" if run.has_scripted_teacher else run.setting("teacher.engine.model") or facts[0].model
    summary = summarize(fact.episode for fact in facts)
    prefix = any(fact.has_prefix for fact in facts)
    return Cell(run.name, "teacher", "teacher", str(model), facts, summary, False, prefix, is_teacher=True)


def _read_cells(run: RunData) -> list[Cell]:
    """One cell for each that the config declares and each other folder of scores; seeds of a cell are put together."""
    declared = {str(cell.get("name")): cell for cell in run.setting("evaluate.cells", []) if isinstance(cell, Mapping)}
    groups: dict[str, list[str]] = {name: [] for name in declared}
    folders = _folders(storage.join(run.folder, "scores"))
    if not folders:
        run.note("scores", "missing", f"{run.folder}/scores holds no evaluation cell")
    for folder in folders:
        seedless = re.sub(r"-s\d+$", "", folder)
        name = seedless if folder not in declared and seedless in declared else folder
        groups.setdefault(name, []).append(folder)
    cells = []
    for name, parts in groups.items():
        if not parts and folders:
            run.note(f"scores/{name}", "missing", f"the config asks for the cell {name}, but it has no scores yet")
        facts = [fact for part in parts for fact in _read_trajectories(run, f"scores/{part}")]
        if facts:
            settings = declared.get(name, {})
            model, trained = _model_of(run, settings, facts), bool(settings.get("trained"))
            summary = summarize(fact.episode for fact in facts)
            taught = trained and run.teacher is not None and run.teacher.has_prefix
            prefix = taught or any(fact.has_prefix for fact in facts)
            variant = _variant(run, settings) if settings else None
            cells.append(Cell(run.name, name, name, model, facts, summary, trained, prefix, variant=variant))
    return cells


def _model_of(run: RunData, settings: Mapping[str, Any], facts: Sequence[Fact]) -> str:
    if settings.get("trained"):
        return str(run.setting("train.model") or facts[0].model)
    engine = settings.get("engine") or run.setting("evaluate.engine") or {}
    if engine.get("engine") == "scripted":
        return f"scripted expert {engine.get('expert', '')}".strip()
    return str(engine.get("model") or facts[0].model)


def _variant(run: RunData, settings: Mapping[str, Any]) -> Variant | None:
    """None where the config is not a resolved one, which names every setting."""
    engine = settings.get("engine") or run.setting("evaluate.engine") or {}
    agent = dict(settings.get("agent") or run.setting("evaluate.agent") or {})
    sag = dict(agent.pop("sag", None) or {})
    if "n" not in sag:
        return None
    n = int(sag.pop("n"))
    model = {"engine": engine, "trained": bool(settings.get("trained"))}
    named = {
        name: json.dumps(part, sort_keys=True) for name, part in (("model", model), ("agent", agent), ("sag", sag))
    }
    return Variant(**named, n=n)


def _read_trajectories(run: RunData, part: str) -> list[Fact]:
    paths = storage.parquet_files(storage.join(run.folder, part))
    facts, broken = read_facts(paths)
    for error in broken:
        run.note(part, "broken", str(error))
    if not facts and not broken:
        run.note(part, "missing", f"{run.folder}/{part} holds no trajectory")
    return facts


def _read_trained(run: RunData) -> frozenset[tuple[str, str, int]]:
    keys: set[tuple[str, str, int]] = set()
    columns = ["run_id", "question_id", "sample_index"]
    paths = storage.parquet_files(storage.join(run.folder, "training_set"))
    if not paths:
        run.note("training_set", "missing", f"{run.folder}/training_set holds no example")
    for path in paths:
        try:
            table = storage.read_table(path, TRAINING_EXAMPLES, columns)
        except DataError as error:
            run.note("training_set", "broken", str(error))
            continue
        keys.update(zip(*(table.column(name).to_pylist() for name in columns), strict=True))
    return frozenset(keys)


def _folders(path: str) -> list[str]:
    system, inner = storage.filesystem(path)
    if not system.exists(inner):
        return []
    entries = system.ls(inner, detail=True)
    return sorted(
        entry["name"].rstrip("/").rsplit("/", 1)[-1]
        for entry in entries
        if entry["type"] == "directory" and not entry["name"].rstrip("/").rsplit("/", 1)[-1].startswith(".")
    )
