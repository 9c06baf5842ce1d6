"""`agentdistill serve`: the retriever and the sandbox as services that outlive one run."""

from __future__ import annotations

import signal
import threading

from agentdistill.config import ClusterConfig, RunConfig
from agentdistill.console import console, quiet_logs
from agentdistill.errors import ConfigError
from agentdistill.pipeline.folder import RunFolder
from agentdistill.pipeline.stages import Run, run_stage
from agentdistill.runtime.connection import ray_cluster
from agentdistill.runtime.services import serve_token, services
from agentdistill.urls import is_local_host


def serve_until_stopped(config: RunConfig, verbose: bool) -> None:
    """Build the index if it is not there, deploy both services, and wait for Ctrl-C or SIGTERM."""
    folder = RunFolder(config.folder)
    if not config.retriever.enabled and not config.sandbox.service:
        raise ConfigError("retriever.enabled and sandbox.service are false, expected at least one service to host")
    serve_token(config.cluster)
    with folder.locked():
        folder.prepare(config)
        with quiet_logs(folder.log("serve"), verbose):
            run_stage(Run(config, folder), "index")
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
