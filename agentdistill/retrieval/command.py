"""What `agentdistill index search | info` do, as functions that print through `write`."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from agentdistill.retrieval.manifest import IndexInfo, check_files, read_manifest
from agentdistill.retrieval.queries import check_k
from agentdistill.retrieval.remote import local_folder

if TYPE_CHECKING:
    from agentdistill.config.retriever import RetrieverConfig

Write = Callable[[str], None]
MIB = 2**20


def index_search(config: RetrieverConfig, query: str, k: int | None = None, write: Write = print) -> int:
    """Search the index in config.folder; prints the passages with their scores, returns how many there are."""
    from agentdistill.retrieval.local import open_index
    from agentdistill.retrieval.tool import shorten

    wanted = check_k(config.k if k is None else k)
    retriever = open_index(config.folder, index=config.index)
    try:
        started = time.monotonic()
        passages = retriever.search([query], wanted)[0]
        elapsed_ms = (time.monotonic() - started) * 1000
    finally:
        retriever.close()
    for number, passage in enumerate(passages, start=1):
        write(f"Doc {number} (Title: {passage.title})  score {passage.score:.4f}  id {passage.id}")
        write(shorten(passage.text, config.passage_chars))
    write(f"{len(passages)} passages of {retriever.info.count} in {elapsed_ms:.0f} ms")
    return len(passages)


def index_info(folder: str | Path, write: Write = print) -> IndexInfo:
    """Print what the index folder says about itself, after a check that its files are whole. Raises DataError."""
    place = local_folder(folder)
    info = read_manifest(place)
    check_files(place, info)
    for line in describe(info):
        write(line)
    return info


def describe(info: IndexInfo) -> list[str]:
    """The facts of an index, a line each."""
    passages = info.files["passages.arrow"].bytes
    measured = info.measured
    lines = [
        f"kind          {info.kind}",
        f"passages      {info.count} from {info.corpus}, {passages / MIB:.1f} MiB",
        f"index         {info.index_bytes / MIB:.1f} MiB in {len(info.files) - 1} files",
    ]
    if info.encoder:
        made = info.encoder
        lines.append(f"encoder       {made['model']}, {info.dimension} dimensions, pooling {made['pooling']}")
    lines.append(f"build         {measured.build_s:.1f} s, peak memory {measured.peak_memory_mb:.0f} MiB")
    if measured.recall is not None:
        lines.append(
            f"recall@{measured.recall_k}      {measured.recall:.4f} against exact search, "
            f"{measured.recall_queries} held-out queries"
        )
    return lines
