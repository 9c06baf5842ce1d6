"""A package beside agentdistill with one extension of each kind, each a few lines; docs/extending.md leads through it."""
