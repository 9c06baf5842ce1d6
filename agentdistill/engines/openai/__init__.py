"""Any OpenAI-compatible HTTP endpoint (vLLM's server, a hosted model) as an engine."""

from agentdistill.engines.openai.access import Access, read_access
from agentdistill.engines.openai.engine import OpenAIEngine, open_engine

__all__ = ["Access", "OpenAIEngine", "open_engine", "read_access"]
