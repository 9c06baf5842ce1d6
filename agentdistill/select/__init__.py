"""Which trajectories become training data, with a reason for each one dropped."""

from agentdistill.select.job import SelectSummary, select, to_example
from agentdistill.select.rules import Rule, make_rules

__all__ = ["Rule", "SelectSummary", "make_rules", "select", "to_example"]
