"""`agentdistill serve`: the retriever and the sandbox as services that outlive one run."""

from __future__ import annotations

import signal
import threading

from agentdistill.config import ClusterConfig
from agentdistill.console import console
from agentdistill.errors import ConfigError
from agentdistill.run import Run
from agentdistill.runtime.connection import ray_cluster
from agentdistill.runtime.services import serve_token, services
from agentdistill.urls import is_local_host


def serve_until_stopped(run: Run) -> None:
    """Deploy both services of a run whose index is there, and wait for Ctrl-C or SIGTERM; nothing in a plan.

    Raises ConfigError where the config turns both off.
    """
    config = run.config
    if not config.retriever.enabled and not config.sandbox.service:
        raise ConfigError("retriever.enabled and sandbox.service are false, expected at least one service to host")
    serve_token(config.cluster)
    if run.planning:
        return
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    with ray_cluster(config.cluster), services(config, config.retriever.folder) as names:
        if names.retriever is not None:
            console.print(f"Retriever: Serve application {names.retriever}" + _url(config.cluster))
        if names.sandbox is not None:
            console.print(f"Sandbox: Serve application {names.sandbox}")
        console.print("Ctrl-C ends them.")
        while not stopped.wait(1.0):
            pass


def _url(config: ClusterConfig) -> str:
    if not config.serve_port:
        return " (cluster.serve_port=8000 adds HTTP)"
    asks = "" if is_local_host(config.serve_host) else f", with the token in {config.serve_token_env}"
    host = f"[{config.serve_host}]" if ":" in config.serve_host else config.serve_host
    return f", POST http://{host}:{config.serve_port}/search{asks}"
