"""Where an actor's episodes get their sandbox sessions and their search: from the shared services, or in process."""

from __future__ import annotations

from typing import Protocol

from agentdistill.config import SandboxConfig
from agentdistill.environments.opening import SearchText
from agentdistill.retrieval.tool import search_tool
from agentdistill.rollout.spec import RolloutSpec
from agentdistill.types import CodeSession


class SessionSource(Protocol):
    """Hands out one session an episode."""

    search: SearchText | None

    def session(self) -> CodeSession:
        """A session that opens at its first use, so that opening fails inside the episode and lands in its record."""
        ...

    async def close(self) -> None: ...


async def open_session_source(spec: RolloutSpec) -> SessionSource:
    """Raises SandboxError where the sandbox cannot be opened here."""
    search = _search(spec)
    if spec.sandbox_app is not None:
        return _Service(spec.sandbox_app, spec.sandbox, search)
    return _InProcess(spec.sandbox, search)


def _search(spec: RolloutSpec) -> SearchText | None:
    if spec.retriever_app is None:
        return None
    from agentdistill.retrieval.client import service_search

    search = service_search(spec.retriever_app, spec.retriever)
    return search_tool(search, spec.retriever.k, spec.retriever.passage_chars)


class _InProcess:
    """A sandbox of this actor's own."""

    def __init__(self, config: SandboxConfig, search: SearchText | None) -> None:
        from agentdistill.sandbox import Sandbox

        self.search = search
        self._sandbox = Sandbox.from_config(config)

    def session(self) -> CodeSession:
        return self._sandbox.async_session({"search": self.search} if self.search is not None else {})

    async def close(self) -> None:
        self._sandbox.close()


class _Service:
    """The sandbox that all actors share; its replicas call the retriever themselves."""

    def __init__(self, app: str, config: SandboxConfig, search: SearchText | None) -> None:
        from agentdistill.sandbox.service.client import ServiceSandbox

        self.search = search
        self._sandbox = ServiceSandbox(app, config.patience_s)

    def session(self) -> CodeSession:
        return self._sandbox.session()

    async def close(self) -> None:
        return None
