"""`agentdistill serve`: the retriever and the sandbox as services that outlive one run."""

from __future__ import annotations

import signal
import threading

from agentdistill.console import console
from agentdistill.errors import ConfigError
from agentdistill.run import Run
from agentdistill.runtime.connection import ray_cluster
from agentdistill.runtime.services import services


def serve_until_stopped(run: Run) -> None:
    """Deploy both services of a run whose index is there, and wait for Ctrl-C or SIGTERM; nothing in a plan.

    Raises ConfigError where the config turns both off.
    """
    config = run.config
    if not config.retriever.enabled and not config.sandbox.service:
        raise ConfigError("retriever.enabled and sandbox.service are false, expected at least one service to host")
    if run.planning:
        return
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    with ray_cluster(config.cluster), services(config, config.retriever.folder) as names:
        port = config.cluster.serve_port
        if names.retriever is not None:
            console.print(f"Retriever: Serve application {names.retriever}" + _url(port))
        if names.sandbox is not None:
            console.print(f"Sandbox: Serve application {names.sandbox}")
        console.print("Ctrl-C ends them.")
        while not stopped.wait(1.0):
            pass


def _url(port: int) -> str:
    return f", POST http://127.0.0.1:{port}/search" if port else " (cluster.serve_port=8000 adds HTTP)"
