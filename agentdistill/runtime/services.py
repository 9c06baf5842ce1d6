"""The services that rollout and evaluation share: retriever and sandbox on Ray Serve, under names of this run's own."""

from __future__ import annotations

import contextlib
import hashlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass

from agentdistill.config import RunConfig
from agentdistill.errors import ConfigError
from agentdistill.tools import make_tools


@dataclass(frozen=True, slots=True)
class Services:
    """The names under which the applications run; None for one that does not."""

    retriever: str | None
    sandbox: str | None


@contextlib.contextmanager
def services(config: RunConfig, index: str) -> Iterator[Services]:
    """Deploy both for as long as the context is open, on a running Ray.

    Where the cluster serves other applications, they stay. Raises ConfigError where cluster.serve_port is in use, or a
    tool is not one.
    """
    from ray import serve

    from agentdistill.retrieval.service import retriever_app

    # The folder is part of the name: two runs of one name on one cluster must not take each other's services.
    own = f"{config.name}-{hashlib.sha256(config.folder.encode()).hexdigest()[:8]}"
    names = Services(
        f"{own}-retriever" if config.retriever.enabled else None, f"{own}-sandbox" if config.sandbox.service else None
    )
    # The retriever is looked for when a tool first calls it, so that both applications can start at once.
    tools = make_tools(config.tools, config.retriever, names.retriever)
    _start_serve(config)
    targets = []
    if names.retriever is not None:
        prefix = "/" if config.cluster.serve_port else None
        targets.append(serve.RunTarget(retriever_app(index, config.retriever), names.retriever, prefix))
    if names.sandbox is not None:
        from agentdistill.sandbox.service.deployment import sandbox_app

        targets.append(serve.RunTarget(sandbox_app(config.sandbox, tools), names.sandbox, None))
    try:
        if targets:
            serve.run_many(targets)
        yield names
    finally:
        # All are told before one is waited for.
        for wait in (False, True):
            for target in targets:
                serve.delete(target.name, _blocking=wait)


def _start_serve(config: RunConfig) -> None:
    from ray import serve

    port = config.cluster.serve_port
    if not port:
        serve.start(proxy_location="Disabled")
        return
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))
        except OSError as error:
            raise ConfigError(
                f"cluster.serve_port is {port}, expected a free port: {error.strerror}; choose another, or 0 for none"
            ) from error
    serve.start(proxy_location="HeadOnly", http_options={"host": "0.0.0.0", "port": port})
