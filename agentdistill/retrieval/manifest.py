"""What an index folder says about itself, and the check that its files are the ones it speaks of."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agentdistill.errors import DataError
from agentdistill.retrieval.checksum import file_checksum

FILE = "manifest.json"
VERSION = 1


@dataclass(frozen=True, slots=True)
class FileInfo:
    """One file of the index."""

    bytes: int
    checksum: str


@dataclass(frozen=True, slots=True)
class ShardInfo:
    """One FAISS file: the rows from `start` on, `count` of them."""

    file: str  # within the index folder, or an absolute path of a pre-built index
    start: int
    count: int


@dataclass(frozen=True, slots=True)
class Measured:
    """What the build found out."""

    build_s: float = 0.0  # the last run of the build; a restart does not count the runs before it
    peak_memory_mb: float = 0.0  # of the building process, over its life
    recall: float | None = None  # recall@recall_k against exact search on held-out queries; None where not checked
    recall_k: int = 0
    recall_queries: int = 0


@dataclass(frozen=True, slots=True)
class IndexInfo:
    """An index folder."""

    key: str  # of all that decides the contents: corpus, encoder, kind and its settings
    kind: str
    count: int  # passages
    dimension: int  # 0 where there are no vectors
    corpus: str  # where the passages came from
    corpus_checksum: str
    encoder: Mapping[str, Any]  # EncoderSpec.identity(); empty where there are no vectors
    settings: Mapping[str, Any]  # IndexConfig as a dict
    shards: tuple[ShardInfo, ...]
    files: Mapping[str, FileInfo]
    measured: Measured = field(default_factory=Measured)
    corpus_origin: str = ""  # checksums of the corpus's files; empty where it was no file
    tokenizer: int = 0  # version of the keyword tokenizer; 0 where there are no keywords, or older ones
    folder: str = ""  # where it lies now; not stored
    version: int = VERSION

    @property
    def index_bytes(self) -> int:
        """Bytes of what is searched: all files but the passages."""
        return sum(file.bytes for name, file in self.files.items() if name != "passages.arrow")


def describe_files(folder: Path, names: list[str]) -> dict[str, FileInfo]:
    """Sizes and checksums of the files; a name may be an absolute path."""
    paths = {name: folder / name for name in names}
    return {name: FileInfo(path.stat().st_size, file_checksum(path)) for name, path in paths.items()}


def write_manifest(folder: Path, info: IndexInfo) -> None:
    """Write the manifest beside its place and rename it."""
    value = dataclasses.asdict(info)
    del value["folder"]
    temporary = folder / f".{FILE}.writing"
    temporary.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    os.replace(temporary, folder / FILE)


def read_manifest(folder: Path) -> IndexInfo:
    """Raises DataError where the folder holds no index, or one of another version."""
    path = folder / FILE
    try:
        return parse_manifest(path.read_text(encoding="utf-8"), str(path), str(folder))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DataError(f"{folder}: there is no index here; build one with `agentdistill index build`") from error


def parse_manifest(text: str, path: str, folder: str) -> IndexInfo:
    """The manifest that stands in `path`, of the index in `folder`. Raises DataError."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise DataError(f"{path}: not valid JSON: {error}") from error
    if not isinstance(value, dict) or value.get("version") != VERSION:
        raise DataError(f"{path}: not a manifest of version {VERSION}; build the index again")
    try:
        value["shards"] = tuple(ShardInfo(**shard) for shard in value["shards"])
        value["files"] = {name: FileInfo(**file) for name, file in value["files"].items()}
        value["measured"] = Measured(**value["measured"])
        return IndexInfo(**value, folder=folder)
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: not a manifest of an index: {error}") from error


def check_files(folder: Path, info: IndexInfo) -> None:
    """Raises DataError naming the file that is missing, truncated, or not the one that was built."""
    for name, expected in info.files.items():
        path = folder / name
        try:
            size = path.stat().st_size
        except FileNotFoundError as error:
            raise DataError(f"{path}: this file of the index is missing; build the index again") from error
        if size != expected.bytes:
            raise DataError(
                f"{path}: {size} bytes, the manifest says {expected.bytes}: the file is truncated or another's; "
                "build the index again"
            )
        if file_checksum(path) != expected.checksum:
            raise DataError(f"{path}: its checksum is not the manifest's: it belongs to another index; build it again")
