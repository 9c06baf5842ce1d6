"""What holds a package's house, checked over the syntax trees of a folder: nothing is imported.

Each check takes the folder that holds the package and returns what is wrong, one sentence each; none: it holds.
"""

from __future__ import annotations

import ast
import functools
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

FUNCTION_LINES, FILE_LINES, FOLDER_FILES = 60, 400, 16
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_SKIPPED = {"__pycache__", "build", "dist"}


def import_circles(root: Path, package: str) -> list[str]:
    """Shortest circles of imports between modules, `a -> b -> a`, one for each pair of modules that begins one.

    Imports inside functions and under TYPE_CHECKING count. A package's `__init__` is a module, named as the package.
    """
    graph = import_graph(root, package)
    found: dict[frozenset[str], list[str]] = {}
    for module in sorted(graph):
        circle = _shortest_circle(graph, module)
        if circle and not any(known <= set(circle) for known in found):
            found[frozenset(circle)] = circle
    return [" -> ".join([*circle, circle[0]]) for circle in found.values()]


def import_graph(root: Path, package: str) -> dict[str, set[str]]:
    """The modules of the package, and which of them each imports."""
    files = modules(root, package)
    return {name: set(_imports(name, path, files)) - {name} for name, path in files.items()}


def long_functions(root: Path, folders: Iterable[str], lines: int = FUNCTION_LINES) -> list[str]:
    return [
        f"{path.relative_to(root)}:{node.lineno}: {node.name} has {length} lines, expected at most {lines}"
        for path in _files(root, folders)
        for node in ast.walk(_tree(path))
        if isinstance(node, _FUNCTIONS) and (length := (node.end_lineno or 0) - node.lineno + 1) > lines
    ]


def long_files(root: Path, folders: Iterable[str], lines: int = FILE_LINES) -> list[str]:
    return [
        f"{path.relative_to(root)}: {length} lines, expected at most {lines}"
        for path in _files(root, folders)
        if (length := len(path.read_text().splitlines())) > lines
    ]


def full_folders(root: Path, package: str, files: int = FOLDER_FILES) -> list[str]:
    """Folders with too many Python files, as paths below the root."""
    counts: dict[Path, int] = defaultdict(int)
    for path in _files(root, [package]):
        counts[path.parent] += 1
    return [str(folder.relative_to(root)) for folder, count in sorted(counts.items()) if count > files]


def dangling_names(root: Path, package: str, sources: Iterable[Path]) -> list[str]:
    """`package.module:name` in any of the files, where there is no such module or nothing of that name in it."""
    known = modules(root, package)
    wanted = re.compile(rf"(?<![\w.]){package}((?:\.\w+)*):([A-Za-z_]\w*)")
    wrong = []
    for path in sources:
        for found in wanted.finditer(path.read_text()):
            module = package + found[1]
            if module not in known:
                wrong.append(f"{path.relative_to(root)}: {found[0]}: there is no module {module}")
            elif found[2] not in _top_names(known[module]):
                wrong.append(f"{path.relative_to(root)}: {found[0]}: {module} has no {found[2]}")
    return wrong


def shared_names(root: Path, package: str) -> dict[str, set[str]]:
    """Public classes and functions of one name in several rooms, one of which shows it to others: name -> rooms.

    A room is what lies directly below the package. It shows what its face (`__init__`) or another room imports; a name
    that is used in its own room alone may stand in another as well.
    """
    rooms: dict[str, set[str]] = defaultdict(set)
    shown: dict[str, set[str]] = defaultdict(set)
    files = modules(root, package)
    for module, path in files.items():
        for node in _tree(path).body:
            if isinstance(node, (*_FUNCTIONS, ast.ClassDef)) and not node.name.startswith("_"):
                rooms[node.name].add(_room(module))
        for source, name in _imported_names(module, path, files):
            if source.startswith(f"{package}.") and (module == _face(source) or _room(source) != _room(module)):
                shown[name].add(_room(source))
    return {name: found for name, found in sorted(rooms.items()) if len(found) > 1 and found & shown[name]}


def modules(root: Path, package: str) -> dict[str, Path]:
    """Every module of the package by its dotted name."""
    found = {}
    for path in _files(root, [package]):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def _files(root: Path, folders: Iterable[str]) -> Iterator[Path]:
    for folder in folders:
        for path in sorted((root / folder).rglob("*.py")):
            if not _SKIPPED & set(path.relative_to(root).parts):
                yield path


@functools.cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def _imports(name: str, path: Path, files: dict[str, Path]) -> Iterator[str]:
    """The modules that this one imports: of `from package import x`, x where it is a module, else the package."""
    for source, imported in _imported_names(name, path, files):
        if f"{source}.{imported}" in files:
            yield f"{source}.{imported}"
        elif source in files:
            yield source
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in files)


def _imported_names(name: str, path: Path, files: dict[str, Path]) -> Iterator[tuple[str, str]]:
    """Every `from SOURCE import NAME`, relative ones resolved."""
    for node in ast.walk(_tree(path)):
        if not isinstance(node, ast.ImportFrom):
            continue
        source = node.module or ""
        if node.level:
            package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
            above = package[: len(package) - node.level + 1]
            source = ".".join([*above, source] if source else above)
        for alias in node.names:
            yield source, alias.name


def _shortest_circle(graph: dict[str, set[str]], start: str) -> list[str]:
    """The modules of a shortest way from `start` back to it; empty where none leads back."""
    ways = [[start]]
    seen: set[str] = set()
    while ways:
        longer = []
        for way in ways:
            for module in sorted(graph[way[-1]]):
                if module == start:
                    return way
                if module not in seen:
                    seen.add(module)
                    longer.append([*way, module])
        ways = longer
    return []


def _top_names(path: Path) -> set[str]:
    """What can be had from the module: definitions, assignments and imports at its top."""
    names: set[str] = set()
    for node in _tree(path).body:
        if isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names.update(alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names.update(target.id for target in targets if isinstance(target, ast.Name))
    return names


def _room(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def _face(module: str) -> str:
    """The `__init__` of the room that the module is in."""
    return ".".join(module.split(".")[:2])
