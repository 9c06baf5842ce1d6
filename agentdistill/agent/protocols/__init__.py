"""Agent protocols: how an agent and its environment speak with each other. One file a protocol."""

from agentdistill.agent.protocols.base import AgentProtocol, Turn
from agentdistill.agent.protocols.chain_of_thought import CHAIN_OF_THOUGHT, extract_answer
from agentdistill.agent.protocols.thought_code import THOUGHT_CODE

__all__ = ["CHAIN_OF_THOUGHT", "THOUGHT_CODE", "AgentProtocol", "Turn", "extract_answer"]
