"""`rollout.reuse`: what the teacher did in another run, copied, so that several students cost one rollout."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from agentdistill import storage
from agentdistill.config import RunConfig
from agentdistill.errors import RunFolderError
from agentdistill.pipeline.folder import RunFolder, differing_settings, settings_of
from agentdistill.schema import QUESTIONS

if TYPE_CHECKING:
    from agentdistill.pipeline.stages import Run

#: Settings of the other run that need not be ours: its name, and the questions, which are compared themselves.
_FREE = ("name", "questions")


def check_source(config: RunConfig) -> None:
    """Check that `rollout.reuse` names a run whose rollout is finished and was made with this config's settings.

    Raises RunFolderError; reads two small files.
    """
    source = _source(config)
    if _place(source.path) == _place(config.folder):
        raise RunFolderError(f"rollout.reuse is {source.path}, this run's own folder; expected another run's, or null")
    theirs = source.settings("rollout")
    if theirs is None:
        raise RunFolderError(
            f"{source.path}: there is no finished rollout to reuse; run `agentdistill rollout` with that run's config "
            "first, or set rollout.reuse=null to make one here"
        )
    differing = differing_settings(_compared(theirs), _compared(settings_of("rollout", config)))
    if differing:
        raise RunFolderError(
            f"{source.path}: its rollout cannot be reused, it was made with other settings ({'; '.join(differing[:3])}"
            f"{'; ...' if len(differing) > 3 else ''}); expected the same, or rollout.reuse=null"
        )


def reuse_rollout(run: Run) -> dict[str, Any]:
    """Copy the other run's trajectories into this run's folder; return that rollout's summary.

    Files are written whole, so a copy that was stopped is made again by the same command. Raises RunFolderError where
    the other run cannot be reused, or acted on other questions.
    """
    check_source(run.config)
    source, target = _source(run.config), run.folder.trajectories
    _check_questions(source, run.folder)
    paths = storage.parquet_files(source.trajectories)
    names = {path.rsplit("/", 1)[-1] for path in paths}
    storage.make_folder(target)
    for path in storage.parquet_files(target):
        if path.rsplit("/", 1)[-1] not in names:
            system, inner = storage.filesystem(path)
            system.rm(inner)
    try:
        for path in paths:
            storage.write_bytes(storage.join(target, path.rsplit("/", 1)[-1]), storage.read_bytes(path))
    except FileNotFoundError as error:
        raise RunFolderError(
            f"{source.path}: its trajectories changed meanwhile; run the same command again"
        ) from error
    summary = source.summary("rollout")
    return {**summary, "folder": target, "reused": summary["finished"], "source": source.path}


def _source(config: RunConfig) -> RunFolder:
    assert config.rollout.reuse is not None
    return RunFolder(config.rollout.reuse.rstrip("/"))


def _place(path: str) -> str:
    return path if "://" in path else os.path.realpath(path)


def _compared(settings: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in settings.items() if key not in _FREE}
    return {**kept, "rollout": {key: value for key, value in kept["rollout"].items() if key != "reuse"}}


def _check_questions(source: RunFolder, own: RunFolder) -> None:
    """The other teacher acted on exactly this run's training questions: the same ids, texts and answers."""
    columns = ["id", "text", "answers"]
    theirs, ours = (
        {row["id"]: row for row in storage.read_table(folder.train_questions, QUESTIONS, columns).to_pylist()}
        for folder in (source, own)
    )
    differing = [key for key in {**ours, **theirs} if ours.get(key) != theirs.get(key)]
    if differing:
        raise RunFolderError(
            f"{source.path}: its rollout cannot be reused, {len(differing)} training questions differ from this run's "
            f"({differing[0]!r} is one); expected the same questions.train, or rollout.reuse=null"
        )
