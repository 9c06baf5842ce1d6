"""Read a config file, compose its groups, apply overrides, check everything, and say plainly what is wrong.

A file may name others to start from:

    defaults:
      - base                     # configs/base.yaml, merged at the root
      - student: smollm2-135m    # configs/student/smollm2-135m.yaml, merged at the root too

Later entries win over earlier ones, the file itself over all of them, `key=value` overrides over the file.
"""

from __future__ import annotations

import copy
import dataclasses
import difflib
import functools
import re
from pathlib import Path
from typing import Any, TypeVar

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from agentdistill.config.run import RunConfig
from agentdistill.config.settings import check_bounds
from agentdistill.errors import ConfigError
from agentdistill.urls import redact_tree

S = TypeVar("S")


def load(path: str | Path | None = None, overrides: list[str] | None = None) -> RunConfig:
    """Return the checked config of a run.

    `path` None starts from the defaults. Raises ConfigError with one sentence that names the file or override, the
    key, the value, and what was expected.
    """
    merged = _schema()
    if path is not None:
        merged = _merge_all(merged, _compose(Path(path), ()))
    if overrides:
        merged = copy.deepcopy(merged)
    for override in overrides or []:
        _override(merged, override)
    where = str(path) if path is not None else "the defaults"
    try:
        config = OmegaConf.to_object(merged)
    except OmegaConfBaseException as error:
        raise ConfigError(f"{where}: {_key_of(error)}{_first_line(error)}") from error
    assert isinstance(config, RunConfig)
    for key, value, expected in check_bounds(config):
        raise ConfigError(f"{_origin(where, key, overrides)}: {key} is {value}, expected {expected}")
    return config


@functools.cache
def _schema() -> DictConfig:
    """The defaults, with their types; made once, for it takes as long as reading a file. Not to be changed."""
    schema = OmegaConf.structured(RunConfig)
    assert isinstance(schema, DictConfig)
    return schema


def to_yaml(config: RunConfig) -> str:
    """The resolved config as YAML that `load` reads back to the same, but for credentials in URLs: those are `***`."""
    tree = OmegaConf.to_container(OmegaConf.structured(config), resolve=True)
    return OmegaConf.to_yaml(OmegaConf.create(redact_tree(tree)))


def fill(schema: type[S], values: dict[str, Any], key: str) -> S:
    """The settings dataclass of somebody's extension, filled from the config's dict `key` and checked.

    Raises ConfigError for an unknown key, a value of another type, or one out of its bounds.
    """
    try:
        base = OmegaConf.structured(schema)
    except _MISFITS as error:
        raise ConfigError(
            f"{key}: the settings {schema.__name__} cannot be filled from a config: {_first_line(error)}; expected "
            "fields of types that YAML has"
        ) from error
    OmegaConf.set_readonly(base, False)  # a frozen dataclass is filled all the same
    known = [item.name for item in dataclasses.fields(schema)]  # type: ignore[arg-type]
    for name in values:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ConfigError(f"{key}: unknown key {name}, expected one of {', '.join(known) or 'none'}{hint}")
    try:
        filled = OmegaConf.to_object(OmegaConf.merge(base, values))
    except _MISFITS as error:
        raise ConfigError(f"{key}.{_key_of(error)}{_first_line(error)}") from error
    assert isinstance(filled, schema)
    for name, value, expected in check_bounds(filled, f"{key}."):
        raise ConfigError(f"{name} is {value}, expected {expected}")
    return filled


def _compose(path: Path, seen: tuple[Path, ...]) -> list[tuple[str, DictConfig]]:
    """The file's defaults and the file itself, in the order in which they are merged."""
    if path.resolve() in seen:
        raise ConfigError(f"{path}: `defaults` leads back to this file; expected no circle")
    content = _read(path)
    defaults = content.pop("defaults", None) or []
    if not isinstance(defaults, list):
        raise ConfigError(f"{path}: defaults is {defaults!r}, expected a list of names or `group: name` entries")
    nodes: list[tuple[str, DictConfig]] = []
    for entry in defaults:
        nodes += _compose(_find(path, entry), (*seen, path.resolve()))
    node = OmegaConf.create(content)
    assert isinstance(node, DictConfig)
    return [*nodes, (str(path), node)]


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        near = _near(path)
        raise ConfigError(f"{path}: no such config file" + (f"; did you mean {near}?" if near else ""))
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        at = "" if line is None else f" line {line + 1}"
        raise ConfigError(f"{path}{at}: not valid YAML: {getattr(error, 'problem', error)}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: holds a {type(content).__name__}, expected `key: value` lines")
    return content


def _find(path: Path, entry: Any) -> Path:
    """Resolve one entry of `defaults`: relative to the nearest folder named configs, else to the file's own."""
    if isinstance(entry, str):
        name = entry
    elif isinstance(entry, dict) and len(entry) == 1:
        ((group, choice),) = entry.items()
        name = f"{group}/{choice}"
    else:
        raise ConfigError(f"{path}: defaults has the entry {entry!r}, expected a name or `group: name`")
    for root in [path.parent, *path.parents]:
        candidate = root / f"{name}.yaml"
        if candidate.is_file():
            return candidate
        if root.name == "configs":
            break
    raise ConfigError(
        f"{path}: defaults names {name!r}, but there is no {name}.yaml beside it or in its configs/ folder"
    )


def _override(config: DictConfig, text: str) -> None:
    """Apply one `key=value`; the key may index a list, as in evaluate.cells[0].name=first."""
    key, separator, value = text.partition("=")
    if not separator or not re.fullmatch(r"[A-Za-z_][\w.\[\]]*", key):
        raise ConfigError(f"override {text!r}: expected key=value, as in train.learning_rate=1e-4")
    source = f"override {text!r}"
    try:
        parsed = OmegaConf.from_dotlist([f"value={value}"]).value
    except (OmegaConfBaseException, yaml.YAMLError) as error:
        raise ConfigError(f"{source}: {value!r} is not a value: {_first_line(error)}") from error
    try:
        OmegaConf.update(config, key, parsed, merge=True)
    except _MISFITS as error:
        raise ConfigError(f"{source}: {_explain(config, error, key)}") from error


def _merge_all(base: DictConfig, nodes: list[tuple[str, DictConfig]]) -> DictConfig:
    try:
        merged = OmegaConf.merge(base, *(node for _, node in nodes))  # copies the schema once, not for each file
    except _MISFITS:
        merged = base
        for source, node in nodes:  # which of them does not fit
            merged = _merge(merged, node, source)
    assert isinstance(merged, DictConfig)
    return merged


def _merge(base: DictConfig, node: DictConfig, source: str) -> DictConfig:
    try:
        merged = OmegaConf.merge(base, node)
    except _MISFITS as error:
        raise ConfigError(f"{source}: {_explain(base, error)}") from error
    assert isinstance(merged, DictConfig)
    return merged


#: What OmegaConf raises where a value does not fit the schema; the plain types for lists and sections mixed up.
_MISFITS = (OmegaConfBaseException, TypeError, ValueError, IndexError)


def _leaves(tree: dict[Any, Any], prefix: str = "") -> list[str]:
    found: list[str] = []
    for key, value in tree.items():
        name = f"{prefix}{key}"
        found += _leaves(value, f"{name}.") if isinstance(value, dict) and value else [name]
    return found


def _explain(base: DictConfig, error: Exception, given_key: str = "") -> str:
    key = str(getattr(error, "full_key", "") or given_key)
    text = _first_line(error)
    if isinstance(error, ConfigAttributeError | ConfigKeyError):
        near = difflib.get_close_matches(key, _known_keys(base), n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]}?" if near else ""
        return f"unknown key {key}, expected one of the settings in docs/configuration.md{hint}"
    return f"{key}: {text}" if key else text


def _known_keys(base: DictConfig) -> list[str]:
    container = OmegaConf.to_container(base, resolve=False)
    assert isinstance(container, dict)
    names: set[str] = set()
    for leaf in _leaves(container):
        parts = leaf.split(".")
        names.update(".".join(parts[: end + 1]) for end in range(len(parts)))
    return sorted(names)


def _origin(where: str, key: str, overrides: list[str] | None) -> str:
    """The override that set `key` where there is one, else the file."""
    for override in reversed(overrides or []):
        if override.partition("=")[0] == key:
            return f"override {override!r}"
    return where


def _near(path: Path) -> str | None:
    if not path.parent.is_dir():
        return None
    names = [item.name for item in path.parent.iterdir() if item.suffix == ".yaml"]
    close = difflib.get_close_matches(path.name, names, n=1)
    return str(path.parent / close[0]) if close else None


def _key_of(error: Exception) -> str:
    key = getattr(error, "full_key", None)
    return f"{key}: " if key else ""


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
