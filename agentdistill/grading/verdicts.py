"""A judge's verdicts on storage, by the content of what was judged."""

from __future__ import annotations

import hashlib
import json
import logging

from agentdistill import storage

log = logging.getLogger(__name__)

_FLUSH_EVERY = 64


class VerdictCache:
    """A dictionary that is also a folder of files, each written whole: several runs may add to it at once."""

    def __init__(self, folder: str | None) -> None:
        self._folder = folder
        self._verdicts: dict[str, bool] = {}
        self._unsaved: dict[str, bool] = {}
        if folder is not None and storage.exists(folder):
            system, inner = storage.filesystem(folder)
            for path in sorted(system.ls(inner, detail=False)):
                if path.endswith(".json"):
                    self._verdicts.update(json.loads(system.cat_file(path)))

    def __contains__(self, key: str) -> bool:
        return key in self._verdicts

    def get(self, key: str) -> bool | None:
        return self._verdicts.get(key)

    def add(self, key: str, verdict: bool) -> None:
        self._verdicts[key] = self._unsaved[key] = verdict
        if len(self._unsaved) >= _FLUSH_EVERY:
            self.flush()

    def flush(self) -> None:
        """Put what is new on storage. Raises RunFolderError."""
        if self._unsaved and self._folder is not None:
            name = hashlib.sha256("".join(sorted(self._unsaved)).encode()).hexdigest()[:24]
            storage.write_json(storage.join(self._folder, f"{name}.json"), self._unsaved)
        self._unsaved = {}
