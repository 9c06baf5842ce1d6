"""How many replicas the service needs. Imports nothing of ours: Ray Serve copies this file into its controller."""

from __future__ import annotations

import math
from typing import Any

ENOUGH = 0.75  # of the sessions that a replica may hold: beyond it another replica is started


def replicas_needed(context: Any) -> tuple[int, dict[str, Any]]:
    """An autoscaling policy of Ray Serve (`AutoscalingContext` in; replicas and a state out, which is not used).

    Enough for the calls under way, and for the sessions held: those wait for their model most of the time, so that a
    replica which has no room for another one may have hardly a call under way. Serve keeps to the bounds and delays.
    """
    fullness = (context.raw_metrics or {}).get("fullness", {})
    sessions = sum(series[-1].value for series in fullness.values() if series) / ENOUGH
    calls = context.total_num_requests / context.config.target_ongoing_requests
    return max(1, math.ceil(sessions), math.ceil(calls)), {}
