"""Questions -> trajectories, on Ray Data: `run_rollout`, or several on one engine with `run_rollouts`.

Importing it needs no Ray.
"""

from agentdistill.rollout.job import run_rollout, run_rollouts
from agentdistill.rollout.spec import RolloutProgress, RolloutSpec, RolloutSummary
from agentdistill.rollout.store import compact, take_inventory

__all__ = [
    "RolloutProgress",
    "RolloutSpec",
    "RolloutSummary",
    "compact",
    "run_rollout",
    "run_rollouts",
    "take_inventory",
]
