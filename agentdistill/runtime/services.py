"""The services that rollout and evaluation share: retriever and sandbox on Ray Serve, under names of this run's own."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass

from agentdistill.config import ClusterConfig, RunConfig
from agentdistill.errors import ConfigError
from agentdistill.tools import make_tools
from agentdistill.urls import is_local_host


@dataclass(frozen=True, slots=True)
class Services:
    """The names under which the applications run; None for one that does not."""

    retriever: str | None
    sandbox: str | None


@contextlib.contextmanager
def services(config: RunConfig, index: str) -> Iterator[Services]:
    """Deploy both for as long as the context is open, on a running Ray.

    Where the cluster serves other applications, they stay. Raises ConfigError where cluster.serve_port is in use,
    cluster.serve_host asks for a token that is not there, or a tool is not one.
    """
    token = serve_token(config.cluster)
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
        targets.append(serve.RunTarget(retriever_app(index, config.retriever, token), names.retriever, prefix))
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


def serve_token(config: ClusterConfig) -> str | None:
    """The token that HTTP requests must bring; None where only this machine reaches the port, or there is none.

    Raises ConfigError where others reach it and there is no token.
    """
    if not config.serve_port or is_local_host(config.serve_host):
        return None
    token = os.environ.get(config.serve_token_env, "").strip()
    if not token:
        raise ConfigError(
            f"cluster.serve_host is {config.serve_host}, which other machines reach, and the environment variable "
            f"{config.serve_token_env} is not set, expected a token there that requests must bring; or "
            "cluster.serve_host=127.0.0.1"
        )
    return token


def _start_serve(config: RunConfig) -> None:
    from ray import serve

    port, host = config.cluster.serve_port, config.cluster.serve_host
    if not port:
        serve.start(proxy_location="Disabled")
        return
    _check_listen(host, port)
    serve.start(proxy_location="HeadOnly", http_options={"host": host, "port": port})


def _check_listen(host: str, port: int) -> None:
    """Raises ConfigError unless one can listen there: Serve's proxy would only log that it cannot."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise ConfigError(f"cluster.serve_host is {host!r}, expected an address of this machine: {error}") from error
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                raise ConfigError(f"cluster.serve_host is {host}, expected an address of this machine") from error
            raise ConfigError(
                f"cluster.serve_port is {port}, expected a free port: {error.strerror}; choose another, or 0 for none"
            ) from error
