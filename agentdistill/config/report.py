"""Settings of the page."""

from dataclasses import dataclass

from agentdistill.config.settings import setting


@dataclass
class ReportConfig:
    title: str = ""
    max_trajectories: int = setting(20_000, ge=0)
