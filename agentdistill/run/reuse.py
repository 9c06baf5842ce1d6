"""`rollout.reuse`: what the teacher did in another run, copied, so that several students cost one rollout."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

from agentdistill import storage
from agentdistill.config import RunConfig
from agentdistill.errors import RunFolderError
from agentdistill.run.folder import RunFolder
from agentdistill.run.handles import Questions
from agentdistill.run.phases.base import Call
from agentdistill.run.record.binding import changes
from agentdistill.run.record.state import State
from agentdistill.schema import QUESTIONS

_PHASE = "rollout"  # the default one of the other run


def check_source(call: Call) -> None:
    """Check that `rollout.reuse` names a run whose rollout is finished and was made with this config's settings.

    Raises RunFolderError; reads a small file.
    """
    source = _source(call.config)
    if _place(source.path) == _place(call.config.folder):
        raise RunFolderError(f"rollout.reuse is {source.path}, this run's own folder; expected another run's, or null")
    theirs = State(source.state).read(_PHASE)
    if theirs is None or not theirs.is_finished:
        raise RunFolderError(
            f"{source.path}: there is no finished rollout to reuse; run `agentdistill rollout` with that run's config "
            "first, or set rollout.reuse=null to make one here"
        )
    differing = changes({**theirs.settings, **_unreused(theirs.settings)}, _compared(call))
    if differing:
        raise RunFolderError(
            f"{source.path}: its rollout cannot be reused, it was made with other settings ({'; '.join(differing[:3])}"
            f"{'; ...' if len(differing) > 3 else ''}); expected the same, or rollout.reuse=null"
        )


def reuse_rollout(call: Call) -> dict[str, Any]:
    """Copy the other run's trajectories into this run's folder; return that rollout's summary.

    Files are written whole, so a copy that was stopped is made again by the same command. Raises RunFolderError where
    the other run cannot be reused, or acted on other questions.
    """
    check_source(call)
    source, target = _source(call.config), call.output.path
    _check_questions(source, call)
    theirs = source.trajectories()
    paths = storage.parquet_files(theirs)
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
    record = State(source.state).read(_PHASE)
    summary = dict(record.summary or {}) if record is not None else {}
    return {**summary, "folder": target, "reused": summary["finished"], "source": source.path}


def _source(config: RunConfig) -> RunFolder:
    assert config.rollout.reuse is not None
    return RunFolder(config.rollout.reuse.rstrip("/"))


def _place(path: str) -> str:
    return path if "://" in path else os.path.realpath(path)


def _compared(call: Call) -> dict[str, Any]:
    """What binds a rollout, but for the run's name and where the rollout is taken from."""
    kept = {key: value for key, value in call.settings.items() if key != "name"}
    return {**kept, "rollout": dataclasses.replace(call.config.rollout, reuse=None)}


def _unreused(settings: dict[str, Any]) -> dict[str, Any]:
    return {"rollout": {**settings["rollout"], "reuse": None}}


def _check_questions(source: RunFolder, call: Call) -> None:
    """The other teacher acted on exactly this run's training questions: the same ids, texts and answers."""
    columns = ["id", "text", "answers"]
    own = call.inputs["questions"]
    assert isinstance(own, Questions)
    files = (storage.join(source.questions(), "train.parquet"), own.file)
    theirs, ours = (
        {row["id"]: row for row in storage.read_table(file, QUESTIONS, columns).to_pylist()} for file in files
    )
    differing = [key for key in {**ours, **theirs} if ours.get(key) != theirs.get(key)]
    if differing:
        raise RunFolderError(
            f"{source.path}: its rollout cannot be reused, {len(differing)} training questions differ from this run's "
            f"({differing[0]!r} is one); expected the same questions.train, or rollout.reuse=null"
        )
