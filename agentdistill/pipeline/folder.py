"""The run folder: where each thing lies in it, who may work in it, and which stages are done.

A stage leaves `state/STAGE.json` when it is finished, with the settings that its result depends on. The same command
then skips it; other settings are refused, with the keys that differ, because mixing two configs in one folder is how
results become wrong without anybody noticing.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock, Timeout

from agentdistill import storage
from agentdistill.config import RunConfig, to_yaml
from agentdistill.config.train import RUNTIME_SETTINGS
from agentdistill.errors import RunFolderError

STAGES = ("questions", "index", "rollout", "select", "train", "evaluate", "report")

#: What each stage's own result depends on; it also depends on all that its inputs depend on.
_SECTIONS = {
    "questions": ("questions", "seed"),
    "index": ("retriever",),
    "rollout": ("name", "teacher", "sandbox", "rollout", "grading"),
    "select": ("select",),
    "train": ("train",),
    "evaluate": ("evaluate", "sandbox", "grading"),
    "report": ("report",),
}
_INPUTS = {
    "questions": (),
    "index": (),
    "rollout": ("questions", "index"),
    "select": ("rollout",),
    "train": ("select",),
    "evaluate": ("train",),
    "report": ("evaluate",),
}

#: Settings that change how fast or where a result is made, not the result. `engine` holds wherever it stands.
_OPERATIONAL = {
    "engine": {
        "tensor_parallel", "gpu_memory_utilization", "kv_cache_gb", "max_num_seqs", "enforce_eager", "stall_s",
        "base_url", "api_key_env", "allow_plain_http", "max_in_flight", "retries", "patience_s",
    },
    "train": RUNTIME_SETTINGS,
    "grading": {"workers", "memory_mb"},
    "judge": {"attempts", "in_flight", "backoff_s", "cache", "actors", "cpus_per_actor", "gpus_per_actor"},
    "retriever": {
        "folder", "encode_actors", "gpus_per_encode_actor", "replicas", "max_replicas", "cpus_per_replica",
        "gpus_per_replica", "max_batch", "batch_wait_s", "max_queued", "deadline_s", "cache_size", "expected_passages",
    },
}  # fmt: skip

#: Sections of which only the named settings matter to the result.
_RESULT = {"rollout": {"samples", "reuse"}, "sandbox": {"limits", "preload", "blocked_imports"}}

_MIN_FREE_GB = 1.0


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Paths of one run, and the record of its stages."""

    path: str

    @property
    def config(self) -> str:
        return storage.join(self.path, "config.yaml")

    @property
    def train_questions(self) -> str:
        return storage.join(self.path, "questions", "train.parquet")

    @property
    def test_questions(self) -> str:
        return storage.join(self.path, "questions", "test.parquet")

    @property
    def index(self) -> str:
        return storage.join(self.path, "index")

    @property
    def trajectories(self) -> str:
        return storage.join(self.path, "trajectories")

    @property
    def training_set(self) -> str:
        return storage.join(self.path, "training_set")

    @property
    def funnel(self) -> str:
        return storage.join(self.path, "select.json")

    @property
    def scores(self) -> str:
        return storage.join(self.path, "scores")

    @property
    def is_local(self) -> bool:
        return "://" not in self.path

    def log(self, command: str) -> Path | None:
        """The log file of a command that starts now; None on remote storage, where one cannot append."""
        if not self.is_local:
            return None
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        return Path(self.path) / "logs" / f"{stamp}-{command}.log"

    def prepare(self, config: RunConfig) -> None:
        """Create the folder and save the resolved config. Raises RunFolderError where it cannot be written."""
        storage.make_folder(self.path)
        if self.is_local:
            free_gb = shutil.disk_usage(self.path).free / 2**30
            if free_gb < _MIN_FREE_GB:
                raise RunFolderError(
                    f"{self.path}: {free_gb:.2f} GiB free on its disk, expected at least {_MIN_FREE_GB:g}; "
                    "free some, or choose another folder=..."
                )
        storage.write_text(self.config, to_yaml(config))

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for this process. Raises RunFolderError where another process holds it.

        On remote storage there is no lock to take: nothing stops two jobs that name the same URL.
        """
        if not self.is_local:
            yield
            return
        storage.make_folder(self.path)
        lock = FileLock(str(Path(self.path) / ".lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise RunFolderError(
                f"{self.path}: another agentdistill command works in this run folder; wait for it, or use folder=..."
            ) from None
        except OSError as error:
            raise RunFolderError(f"{self.path}: cannot be locked: {error.strerror}") from error
        try:
            yield
        finally:
            lock.release()

    def check(self, stages: Iterable[str], config: RunConfig) -> None:
        """Raise RunFolderError where one of the stages was begun or finished with other settings; changes nothing."""
        for stage in stages:
            if storage.exists(self._state(stage)):
                self._read_state(stage, config)

    def reset(self, stage: str) -> None:
        """Forget that the stage was begun or finished; what it made stays."""
        system, inner = storage.filesystem(self._state(stage))
        if system.exists(inner):
            system.rm(inner)

    def has_begun(self, stage: str) -> bool:
        return storage.exists(self._state(stage))

    def has_finished(self, stage: str) -> bool:
        return self.has_begun(stage) and storage.read_json(self._state(stage))["finished_at"] is not None

    def begin(self, stage: str, config: RunConfig) -> bool:
        """Whether the stage is still to do with these settings; notes them, so that no others can finish it.

        Raises RunFolderError where it was begun or finished with others.
        """
        if not storage.exists(self._state(stage)):
            self._write_state(stage, config, None, None)
            return True
        return self._read_state(stage, config)["finished_at"] is None

    def _read_state(self, stage: str, config: RunConfig) -> dict[str, Any]:
        path = self._state(stage)
        state: dict[str, Any] = storage.read_json(path)
        differing = differing_settings(state["settings"], settings_of(stage, config))
        if differing:
            raise RunFolderError(
                f"{self.path}: its stage {stage!r} was made by another config ({'; '.join(differing[:3])}"
                f"{'; ...' if len(differing) > 3 else ''}); use another folder=..., or remove {path} to make it again"
            )
        return state

    def finish(self, stage: str, config: RunConfig, summary: dict[str, Any]) -> None:
        self._write_state(stage, config, summary, datetime.now(UTC).isoformat(timespec="seconds"))

    def _write_state(
        self, stage: str, config: RunConfig, summary: dict[str, Any] | None, finished_at: str | None
    ) -> None:
        record = {"settings": settings_of(stage, config), "summary": summary, "finished_at": finished_at}
        storage.write_json(self._state(stage), record)

    def settings(self, stage: str) -> dict[str, Any] | None:
        """The settings that the finished stage's result depends on; None where the stage was not finished."""
        if not storage.exists(self._state(stage)):
            return None
        state = storage.read_json(self._state(stage))
        return None if state["finished_at"] is None else dict(state["settings"])

    def summary(self, stage: str) -> dict[str, Any]:
        """What the finished stage recorded about itself."""
        return dict(storage.read_json(self._state(stage))["summary"])

    def _state(self, stage: str) -> str:
        return storage.join(self.path, "state", f"{stage}.json")


def settings_of(stage: str, config: RunConfig) -> dict[str, Any]:
    """The settings that the stage's result depends on, its inputs' included, as plain values."""
    tree = yaml.safe_load(to_yaml(config))
    sections: set[str] = set()
    todo = [stage]
    while todo:
        name = todo.pop()
        sections.update(_SECTIONS[name])
        todo.extend(_INPUTS[name])
    return {name: _result_settings(name, tree[name]) for name in sorted(sections)}


def _result_settings(name: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_result_settings(name, item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _result_settings(key, item)
        for key, item in value.items()
        if key not in _OPERATIONAL.get(name, ()) and (name not in _RESULT or key in _RESULT[name])
    }


def differing_settings(left: Any, right: Any, prefix: str = "") -> list[str]:
    """`key: LEFT there, RIGHT here` for each setting that differs."""
    if isinstance(left, dict) and isinstance(right, dict):
        found = []
        for key in {**left, **right}:
            found += differing_settings(left.get(key), right.get(key), f"{prefix}.{key}" if prefix else key)
        return found
    if isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        found = []
        for index, (one, other) in enumerate(zip(left, right, strict=True)):
            found += differing_settings(one, other, f"{prefix}[{index}]")
        return found
    return [] if left == right else [f"{prefix}: {left} there, {right} here"]
