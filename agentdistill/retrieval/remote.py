"""Index folders at an fsspec URL: FAISS and Arrow map files, so each node searches a copy on its own disk."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agentdistill import storage
from agentdistill.errors import DataError, RunFolderError
from agentdistill.models import cache_folder
from agentdistill.retrieval.manifest import FILE, IndexInfo, check_files, parse_manifest, read_manifest


def is_remote(folder: str | Path) -> bool:
    return "://" in str(folder)


def local_folder(folder: str | Path) -> Path:
    """The folder itself, or this machine's copy of a remote one. Raises DataError where there is no index."""
    return fetch(str(folder)) if is_remote(folder) else Path(folder)


def copy_of(url: str) -> Path:
    """Where this machine keeps its copy: below `AGENTDISTILL_CACHE`, or ~/.cache/agentdistill."""
    return cache_folder() / "indexes" / hashlib.sha256(url.encode()).hexdigest()[:16]


def read_remote_manifest(url: str) -> IndexInfo | None:
    """What the remote folder says about itself; None where there is no index. Raises DataError where it is torn."""
    path = storage.join(url, FILE)
    try:
        return parse_manifest(storage.read_bytes(path).decode(), path, url)
    except FileNotFoundError:
        return None


def read_any_manifest(folder: str | Path) -> IndexInfo:
    """The manifest alone, from wherever the folder is. Raises DataError where there is no index."""
    if not is_remote(folder):
        return read_manifest(Path(folder))
    info = read_remote_manifest(str(folder))
    if info is None:
        raise DataError(f"{folder}: there is no index here; build one with `agentdistill index build`")
    return info


def fetch(url: str) -> Path:
    """Download the index unless this machine has it already; processes that ask at once download it once."""
    info = read_any_manifest(url)
    local = copy_of(url)
    local.parent.mkdir(parents=True, exist_ok=True)
    with _locked(local):
        if _is_copy(local, info):
            return local
        temporary = local.with_name(f".fetching-{uuid.uuid4().hex[:8]}")
        try:
            _download(url, [*info.files, FILE], temporary)
            check_files(temporary, info)
            shutil.rmtree(local, ignore_errors=True)
            os.replace(temporary, local)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return local


def push(local: Path, url: str) -> None:
    """Upload an index folder, its manifest last; does nothing where the same index is there.

    A reader that opens while another index is replaced is told by the checksums, and has to open again.
    """
    info = read_manifest(local)
    there = read_remote_manifest(url)
    if there is not None and there.key == info.key:
        return
    system, inner = storage.filesystem(url)
    try:
        for name in [*info.files, FILE]:
            target = f"{inner.rstrip('/')}/{name}"
            system.makedirs(target.rsplit("/", 1)[0], exist_ok=True)
            system.put_file(str(local / name), target)
    except OSError as error:
        raise RunFolderError(f"{url}: cannot upload the index: {error}") from error


def _is_copy(local: Path, info: IndexInfo) -> bool:
    try:
        kept = read_manifest(local)
        check_files(local, kept)
    except DataError:
        return False
    return kept.key == info.key


def _download(url: str, names: list[str], folder: Path) -> None:
    system, inner = storage.filesystem(url)
    for name in names:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            system.get_file(f"{inner.rstrip('/')}/{name}", str(target))
        except FileNotFoundError as error:
            raise DataError(f"{url}/{name}: this file of the index is missing; build the index again") from error


@contextmanager
def _locked(local: Path) -> Iterator[None]:
    with local.with_name(f".{local.name}.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
