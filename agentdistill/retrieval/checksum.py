"""A checksum that stays cheap at 60 GB: of a file's size and of blocks spread over it."""

from __future__ import annotations

import hashlib
from pathlib import Path

BLOCK_BYTES = 65_536
NUM_BLOCKS = 64


def file_checksum(path: Path) -> str:
    """Return a hex digest: of the whole file up to 4 MiB, else of 64 blocks of 64 KiB, first and last among them.

    It tells a truncated, torn or exchanged file; it does not find one flipped bit in a large one.
    """
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as source:
        if size <= BLOCK_BYTES * NUM_BLOCKS:
            digest.update(source.read())
        else:
            for index in range(NUM_BLOCKS):
                source.seek((size - BLOCK_BYTES) * index // (NUM_BLOCKS - 1))
                digest.update(source.read(BLOCK_BYTES))
    return digest.hexdigest()[:32]
