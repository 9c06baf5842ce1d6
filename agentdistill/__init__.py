"""agentdistill: distil what a large language-model agent does into a small model, on Ray."""

__version__ = "0.1.0"
