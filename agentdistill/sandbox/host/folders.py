"""The folders of sessions: made with an owner, and removed whatever a session made of them."""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import tempfile
from pathlib import Path


def make_held(prefix: str) -> tuple[Path, int]:
    """(a new temporary folder, a descriptor that holds it until every process that inherits it has ended).

    The hold is flock(2), which a kill releases too; systemd-tmpfiles leaves alone what is locked.
    """
    while True:
        folder = Path(tempfile.mkdtemp(prefix=prefix))
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        with contextlib.suppress(OSError):  # a file system without locks: then nobody sweeps either
            fcntl.flock(fd, fcntl.LOCK_EX)
        if folder.exists():
            return folder, fd
        os.close(fd)  # swept between the two calls


def sweep(prefix: str) -> None:
    """Remove this user's folders that nobody holds any more: their owners were killed, and could not do it."""
    for folder in Path(tempfile.gettempdir()).glob(prefix + "*"):
        with contextlib.suppress(OSError):
            fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                if os.fstat(fd).st_uid == os.geteuid():
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    remove(str(folder))
            finally:
                os.close(fd)


def remove(folder: str) -> None:
    """Remove a folder and all below it; one that is not there is fine. Only when nobody writes to it any more.

    Without recursion and long paths, for a session can nest folders deeper than either allows: what lies in a
    subfolder is moved up first. Folders without permissions are given them; links are removed, not followed.
    """
    numbers = itertools.count()
    with contextlib.suppress(FileNotFoundError):
        while _flatten(folder, numbers):
            pass
        os.rmdir(folder)


def _flatten(folder: str, numbers: itertools.count[int]) -> bool:
    """Remove the files in a folder and one level of its subfolders. False where it is empty."""
    entries = list(os.scandir(folder))
    for entry in entries:
        if not entry.is_dir(follow_symlinks=False):
            os.unlink(entry.path)
            continue
        os.chmod(entry.path, 0o700)
        for inner in list(os.scandir(entry.path)):
            if inner.is_dir(follow_symlinks=False):
                # To move a folder is to write to it: its entry ".." changes.
                os.chmod(inner.path, 0o700)
                os.rename(inner.path, os.path.join(folder, f".moved-{next(numbers)}"))
            else:
                os.unlink(inner.path)
        os.rmdir(entry.path)
    return bool(entries)
