"""Where an actor's episodes get their sandbox sessions and their search: from the shared services, or in process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from agentdistill.config import SandboxConfig
from agentdistill.rollout.spec import RolloutSpec
from agentdistill.tools import SearchText, make_tools, search_text
from agentdistill.types import CodeSession


class SessionSource(Protocol):
    """Hands out one session an episode."""

    search: SearchText | None

    def session(self) -> CodeSession:
        """A session that opens at its first use, so that opening fails inside the episode and lands in its record."""
        ...

    async def close(self) -> None: ...


async def open_session_source(spec: RolloutSpec) -> SessionSource:
    """Raises SandboxError where the sandbox cannot be opened here, ConfigError where a tool is not one."""
    search = None if spec.retriever_app is None else search_text(spec.retriever, spec.retriever_app)
    if spec.sandbox_app is not None:
        return _Service(spec.sandbox_app, spec.sandbox, search)
    return _InProcess(spec.sandbox, search, make_tools(spec.tools, spec.retriever, spec.retriever_app))


class _InProcess:
    """A sandbox of this actor's own."""

    def __init__(
        self, config: SandboxConfig, search: SearchText | None, tools: Mapping[str, Callable[..., Any]]
    ) -> None:
        from agentdistill.sandbox import Sandbox

        self.search, self._tools = search, tools
        self._sandbox = Sandbox.from_config(config)

    def session(self) -> CodeSession:
        return self._sandbox.async_session(self._tools)

    async def close(self) -> None:
        self._sandbox.close()


class _Service:
    """The sandbox that all actors share; its replicas hold the tools, and call the retriever themselves."""

    def __init__(self, app: str, config: SandboxConfig, search: SearchText | None) -> None:
        from agentdistill.sandbox.service.client import ServiceSandbox

        self.search = search
        self._sandbox = ServiceSandbox(app, config.patience_s)

    def session(self) -> CodeSession:
        return self._sandbox.session()

    async def close(self) -> None:
        return None
