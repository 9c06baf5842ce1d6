"""A Ray Serve application as its clients hold it. Imports Ray at the first call only."""

from __future__ import annotations

import asyncio
from typing import Any


class Application:
    """An application of Ray Serve, by its name or by a DeploymentHandle. Picklable: send it to any worker."""

    def __init__(self, app: str | Any) -> None:
        self._name = app if isinstance(app, str) else ""
        self._handle = None if isinstance(app, str) else app

    @property
    def handle(self) -> Any:
        """The DeploymentHandle; where a name was given, looked up once in each process. Raises what Serve raises."""
        if self._handle is None:
            from ray import serve

            self._handle = serve.get_app_handle(self._name)
        return self._handle

    def __getstate__(self) -> dict[str, Any]:
        return {"_name": self._name, "_handle": None if self._name else self._handle}


def dropped_by_serve() -> bool:
    """Whether the CancelledError just caught is Serve's, which so reports a request that died with its replica."""
    task = asyncio.current_task()
    return task is None or not task.cancelling()


def cause(error: Exception) -> Exception:
    """What a replica raised, where Ray wrapped it."""
    from ray.exceptions import RayTaskError

    return error.cause if isinstance(error, RayTaskError) else error
