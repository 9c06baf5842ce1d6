"""`agentdistill serve`: the retriever and the sandbox as services that outlive one run."""

from __future__ import annotations

import signal
import threading

from agentdistill.config import RunConfig
from agentdistill.console import console, quiet_logs
from agentdistill.errors import ConfigError
from agentdistill.pipeline.folder import RunFolder
from agentdistill.pipeline.stages import Run, run_stage
from agentdistill.runtime.connection import ray_cluster
from agentdistill.runtime.services import services


def serve_until_stopped(config: RunConfig, verbose: bool) -> None:
    """Build the index if it is not there, deploy both services, and wait for Ctrl-C or SIGTERM."""
    folder = RunFolder(config.folder)
    if not config.retriever.enabled and not config.sandbox.service:
        raise ConfigError("retriever.enabled and sandbox.service are false, expected at least one service to host")
    with folder.locked():
        folder.prepare(config)
        with quiet_logs(folder.log("serve"), verbose):
            run_stage(Run(config, folder), "index")
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
