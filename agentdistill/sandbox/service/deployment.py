"""The sandbox as a Ray Serve application that rollout and evaluation share.

    app = sandbox_app(config.sandbox, tools={"search": search_tool(ServiceSearch("retriever"), k, chars)})
    serve.run(app, name="sandbox", route_prefix=None)
    session = ServiceSandbox("sandbox").session()     # satisfies CodeSession

The module imports Ray Serve: only what deploys, and the replicas, import it. `client` is for everybody else.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ray import serve
from ray.serve.config import RequestRouterConfig
from ray.serve.request_router import PendingRequest, RequestRouter, RunningReplica

from agentdistill.config.sandbox import SandboxConfig
from agentdistill.sandbox.host.session import Entry
from agentdistill.sandbox.service.client import ServiceSandbox
from agentdistill.sandbox.service.metrics import RayMetrics
from agentdistill.sandbox.service.replica import Replica
from agentdistill.types import Outcome

DEPLOYMENT = "Sandbox"
#: Beyond the calls it may hold, a replica has room for those that it answers "busy", and for health checks.
SPARE_REQUESTS = 64
UPSCALE_DELAY_S = 10  # all episodes of a rollout come at once, and clients wait no longer than `patience_s`


class SandboxReplica:
    """Serve's face of `Replica`: the same methods."""

    def __init__(self, config: SandboxConfig, tools: Mapping[str, Callable[..., Any]]) -> None:
        own_id = serve.get_replica_context().replica_id.unique_id
        self._metrics = RayMetrics()
        self._replica = Replica(config, tools, own_id, self._metrics)

    async def open(self, near: str, tools: Sequence[str] | None, journal: Sequence[Entry]) -> str:
        return await self._replica.open(near, tools, journal)

    async def run(self, session_id: str, code: str) -> tuple[Outcome, Entry | None]:
        return await self._replica.run(session_id, code)

    async def try_all(self, session_id: str, codes: list[str]) -> tuple[list[Outcome], list[Entry]]:
        return await self._replica.try_all(session_id, codes)

    async def commit(self, session_id: str, index: int) -> None:
        await self._replica.commit(session_id, index)

    async def close(self, session_id: str) -> None:
        await self._replica.close(session_id)

    async def stats(self, near: str = "") -> dict[str, float]:
        """Counts since this replica started, sessions held, programs waiting, its process id."""
        return {**self._metrics.as_dict(), **self._replica.load()}

    async def check_health(self) -> None:
        await self._replica.check_health()

    def record_routing_stats(self) -> dict[str, Any]:
        """For the router: how many sessions are held."""
        return self._replica.load()

    def record_autoscaling_stats(self) -> dict[str, float]:
        """For the autoscaler: the share of the sessions it may hold that this replica holds."""
        return {"fullness": self._replica.fullness}

    def __del__(self) -> None:
        if hasattr(self, "_replica"):
            self._replica.shut_down()


class SessionRouter(RequestRouter):
    """Calls of a session go to the replica that holds it; a new session to the one that holds fewest."""

    async def choose_replicas(
        self, candidate_replicas: list[RunningReplica], pending_request: PendingRequest | None = None
    ) -> list[list[RunningReplica]]:
        key = pending_request.args[0] if pending_request and pending_request.args else ""
        owner = str(key).partition("/")[0]
        holders = [replica for replica in candidate_replicas if replica.replica_id.unique_id == owner]
        if holders:
            return [holders]
        ranked = random.sample(candidate_replicas, len(candidate_replicas))
        ranked.sort(key=lambda replica: replica.routing_stats.get("sessions", 0))
        return [[replica] for replica in ranked]


def sandbox_app(config: SandboxConfig, tools: Mapping[str, Callable[..., Any]] | None = None) -> serve.Application:
    """The application. `tools` are the functions that sessions may ask for, async or not; the replicas call them."""
    options: dict[str, Any] = {
        "max_ongoing_requests": config.max_sessions + config.max_queued + SPARE_REQUESTS,
        "max_queued_requests": config.max_sessions + config.max_queued + SPARE_REQUESTS,
        "ray_actor_options": {"num_cpus": config.cpus_per_replica},
        "health_check_period_s": 10,
        "health_check_timeout_s": 40,
        "graceful_shutdown_timeout_s": 10,
        "graceful_shutdown_wait_loop_s": 0.2,
        "request_router_config": RequestRouterConfig(
            request_router_class=SessionRouter, request_routing_stats_period_s=1, request_routing_stats_timeout_s=5
        ),
    }
    if config.max_replicas > config.replicas:
        options["autoscaling_config"] = {
            "min_replicas": config.replicas,
            "max_replicas": config.max_replicas,
            "target_ongoing_requests": max(1, config.max_sessions // 4),
            "upscale_delay_s": UPSCALE_DELAY_S,
            "policy": {"policy_function": "agentdistill.sandbox.service.scaling:replicas_needed"},
        }
    else:
        options["num_replicas"] = config.replicas
    return serve.deployment(SandboxReplica, name=DEPLOYMENT).options(**options).bind(config, dict(tools or {}))


def deploy(
    config: SandboxConfig, tools: Mapping[str, Callable[..., Any]] | None = None, name: str = "sandbox"
) -> ServiceSandbox:
    """Run the application in the cluster under this name and return its client. Handles only, no HTTP."""
    serve.run(sandbox_app(config, tools), name=name, route_prefix=None)
    return ServiceSandbox(name, patience_s=config.patience_s)
