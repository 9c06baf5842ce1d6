"""Corpus -> passages, vectors, index: written beside the folder and renamed, restartable at every shard."""

from __future__ import annotations

import dataclasses
import fcntl
import hashlib
import json
import os
import resource
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentdistill.errors import DataError, RunFolderError
from agentdistill.retrieval import dense, remote, store
from agentdistill.retrieval.checksum import file_checksum
from agentdistill.retrieval.corpus import BUILTIN, Columns, corpus_files, read_corpus
from agentdistill.retrieval.encode import encode_corpus
from agentdistill.retrieval.encoder import EncoderSpec, resolve_encoder
from agentdistill.retrieval.fill import Progress, exact_search, fill_index
from agentdistill.retrieval.hits import merge_top_k, recall
from agentdistill.retrieval.keyword import KINDS, TOKENIZER, build_keyword
from agentdistill.retrieval.manifest import (
    FILE,
    IndexInfo,
    Measured,
    ShardInfo,
    check_files,
    describe_files,
    read_manifest,
    write_manifest,
)
from agentdistill.retrieval.prebuilt import adopt_index
from agentdistill.retrieval.vectors import VectorShards
from agentdistill.rows import HUB_PREFIX

if TYPE_CHECKING:
    from agentdistill.config.retriever import RetrieverConfig

#: Settings that change how an index is opened, not what is in it.
_OPEN_SETTINGS = ("nprobe", "ef_search", "rrf_k", "memory_map", "gpu")


def build_index(
    config: RetrieverConfig,
    source: Any = None,
    folder: str | Path | None = None,
    progress: Progress | None = None,
) -> IndexInfo:
    """Build the index of `source` (rows, a path; by default config.corpus) into `folder` (config.folder).

    A folder at an fsspec URL is built in this machine's cache and uploaded.

    Does nothing where the same index is there already. An interrupted build leaves `<folder>.building`, and the same
    call goes on there. Returns what was built, with build time, memory and recall.
    Raises DataError for a corpus that cannot be read, UserError for settings that do not fit it, RunFolderError where
    another process is building here.
    """
    started = time.monotonic()
    place = config.folder if folder is None else folder
    target = remote.copy_of(str(place)) if remote.is_remote(place) else Path(place)
    if remote.is_remote(place) and remote.read_remote_manifest(str(place)) is not None:
        remote.fetch(str(place))
    source = config.corpus if source is None else source
    there = _Build(config, source, target, target, _silent).found()
    if there is not None:
        return dataclasses.replace(there, folder=str(place))
    with _building(target) as work:
        info = _Build(config, source, target, work, progress or _silent).run(started)
    if remote.is_remote(place):
        remote.push(target, str(place))
    return dataclasses.replace(info, folder=str(place))


class _Build:
    """The steps of one build, each of which finds what an earlier run has left."""

    def __init__(self, config: RetrieverConfig, source: Any, target: Path, work: Path, report: Progress) -> None:
        self.config = config
        self.source = source
        self.target = target
        self.work = work
        self.report = report
        self.spec: EncoderSpec | None = None if config.index.kind == "bm25" else resolve_encoder(config.encoder)

    def found(self) -> IndexInfo | None:
        """The index of this corpus file that is there already, known without reading the corpus; else None."""
        origin = _origin(self.source)
        try:
            info = read_manifest(self.target) if origin else None
        except DataError:
            return None
        if info is None or info.corpus_origin != origin:
            return None
        self._check_count(info.count)
        return existing_index(self.target, self._key(info.corpus_checksum))

    def run(self, started: float) -> IndexInfo:
        count, checksum = self._passages()
        self._check_count(count)
        key = self._key(checksum)
        there = existing_index(self.target, key)
        if there is not None:
            shutil.rmtree(self.work)
            return there
        self._forget_other(key)
        shards, dimension, measured = self._dense(count)
        names = [store.FILE, *(shard.file for shard in shards), *self._keyword()]
        info = IndexInfo(
            key=key,
            kind=self.config.index.kind,
            count=count,
            dimension=dimension,
            corpus=str(self.source) if isinstance(self.source, str | Path) else "rows",
            corpus_checksum=checksum,
            corpus_origin=_origin(self.source),
            encoder=self.spec.identity() if self.spec else {},
            settings=dataclasses.asdict(self.config.index),
            shards=shards,
            tokenizer=TOKENIZER if self.config.index.kind in KINDS else 0,
            files=describe_files(self.work, names),
            measured=Measured(build_s=time.monotonic() - started, peak_memory_mb=_peak_memory_mb(), **measured),
        )
        write_manifest(self.work, info)
        self._publish()
        return info

    def _check_count(self, count: int) -> None:
        expected = self.config.expected_passages
        if expected is not None and count != expected:
            raise DataError(
                f"{self.source}: {count} passages, retriever.expected_passages says {expected}; the file is incomplete "
                "or another one"
            )

    def _dense(self, count: int) -> tuple[tuple[ShardInfo, ...], int, dict[str, Any]]:
        """The FAISS files, their dimension, and the recall that was measured."""
        if self.spec is None:
            return (), 0, {}
        if self.config.index.file is not None:
            shard, dimension = adopt_index(self.config, self.spec, self.work / store.FILE)
            return (shard,), dimension, {}
        vectors = self._vectors(count)
        shards = self._fill(vectors)
        return shards, vectors.dimension, self._recall(vectors, shards)

    def _keyword(self) -> list[str]:
        if self.config.index.kind not in KINDS:
            return []
        self.report("indexing keywords", 0, 0)
        return build_keyword(store.PassageStore(self.work / store.FILE), self.work)

    def _passages(self) -> tuple[int, str]:
        note, path = self.work / "passages.json", self.work / store.FILE
        origin = _origin(self.source)
        if note.exists() and path.exists() and origin:
            kept = json.loads(note.read_text())
            if kept["origin"] == origin:
                return kept["count"], kept["checksum"]
        self.report("reading the corpus", 0, 0)
        columns = Columns(self.config.id_column, self.config.title_column, self.config.text_column)
        count, checksum = store.write_passages(read_corpus(self.source, columns), path)
        note.write_text(json.dumps({"origin": origin, "count": count, "checksum": checksum}))
        return count, checksum

    def _key(self, checksum: str) -> str:
        settings = dataclasses.asdict(self.config.index)
        for name in _OPEN_SETTINGS:
            del settings[name]
        encoder = [self.spec.fingerprint, self.spec.max_length] if self.spec else []
        parts: list[Any] = [checksum, encoder, settings]
        if self.config.index.kind in KINDS:
            parts.append(TOKENIZER)
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]

    def _forget_other(self, key: str) -> None:
        """Vectors that an interrupted build of something else has left are of no use."""
        note = self.work / "key"
        if note.exists() and note.read_text() != key:
            shutil.rmtree(self.work / "vectors", ignore_errors=True)
        note.write_text(key)

    def _vectors(self, count: int) -> VectorShards:
        assert self.spec is not None
        vectors = VectorShards(self.work / "vectors", count, self.config.index.shard_rows)
        encode_corpus(vectors, self.work / store.FILE, self.spec, self.config, self.report)
        return vectors

    def _fill(self, vectors: VectorShards) -> tuple[ShardInfo, ...]:
        index, shards = self.config.index, []
        kind = index.dense if index.kind == "hybrid" else index.kind
        for shard in range(index.shards):
            start, stop = vectors.count * shard // index.shards, vectors.count * (shard + 1) // index.shards
            if stop > start:
                name = f"dense-{shard:03d}-of-{index.shards:03d}.faiss"
                fill_index(vectors, self.work / name, kind, index, start, stop, self.report)
                shards.append(ShardInfo(name, start, stop - start))
        return tuple(shards)

    def _recall(self, vectors: VectorShards, shards: tuple[ShardInfo, ...]) -> dict[str, Any]:
        """recall@k of the written files against exact search, on the held-out queries."""
        if not self.config.index.recall_queries:
            return {}
        self.report("checking recall", 0, 0)
        queries = vectors.read_queries()
        k = min(self.config.k, vectors.count)
        opened = [dense.DenseIndex(self.work / shard.file, self.config.index, shard.start) for shard in shards]
        found = merge_top_k([part.search(queries, k) for part in opened], k)
        value = recall(found, exact_search(vectors, queries, k))
        return {"recall": value, "recall_k": k, "recall_queries": len(queries)}

    def _publish(self) -> None:
        shutil.rmtree(self.work / "vectors", ignore_errors=True)
        for name in ("passages.json", "key"):
            (self.work / name).unlink(missing_ok=True)
        aside = self.target.with_name(f".{self.target.name}.old-{uuid.uuid4().hex[:8]}")
        if self.target.exists():
            os.rename(self.target, aside)
        os.rename(self.work, self.target)
        shutil.rmtree(aside, ignore_errors=True)


def existing_index(folder: Path, key: str) -> IndexInfo | None:
    """The index in `folder` if it is whole and has this key, else None."""
    if not (folder / FILE).exists():
        return None
    try:
        info = read_manifest(folder)
        check_files(folder, info)
    except DataError:
        return None
    return info if info.key == key else None


@contextmanager
def _building(target: Path) -> Iterator[Path]:
    """The work folder beside the target, locked for as long as this process builds there."""
    work = target.with_name(f"{target.name}.building")
    if target.exists() and not (target / FILE).exists() and (not target.is_dir() or any(target.iterdir())):
        raise RunFolderError(f"{target}: there is something else than an index here; choose another folder")
    try:
        work.mkdir(parents=True, exist_ok=True)
        held = os.open(work, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise RunFolderError(f"{work}: cannot create this folder: {error.strerror or error}") from error
    try:
        if not _lock(held, work):
            raise RunFolderError(f"{target}: another process is building this index now")
        yield work
    finally:
        os.close(held)
        with suppress(OSError):  # holds something: an interrupted build, to go on with
            work.rmdir()


def _lock(held: int, work: Path) -> bool:
    """Lock the open folder; False where somebody else has it, or has made an index of it in between."""
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.fstat(held).st_ino == work.stat().st_ino
    except (BlockingIOError, FileNotFoundError):
        return False


def _origin(source: Any) -> str:
    """What tells whether a file corpus has changed since it was read; empty where only reading can tell."""
    if not isinstance(source, str | Path) or str(source) == BUILTIN:
        return ""
    if "://" in str(source) or str(source).startswith(HUB_PREFIX):
        return ""
    parts = [f"{file}:{file_checksum(Path(file))}" for file in corpus_files(str(source))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _peak_memory_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _silent(what: str, done: int, total: int) -> None:
    del what, done, total
