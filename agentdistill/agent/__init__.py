"""The agent itself: prompts, protocols, the episode, first thought, voting. Pure Python; no engine, sandbox or Ray."""

from agentdistill.agent.environment import SessionEnvironment
from agentdistill.agent.episode import run_episode
from agentdistill.agent.first_thought import first_paragraph, first_thought, whole_sentences
from agentdistill.agent.prompts import Prompt, SystemPrompt, load_prompt
from agentdistill.agent.protocols import CHAIN_OF_THOUGHT, THOUGHT_CODE, AgentProtocol, Turn, extract_answer
from agentdistill.agent.record import Start, make_trajectory
from agentdistill.agent.settings import VOTE_PREFIX, EpisodeSettings, for_workers
from agentdistill.agent.voting import canonical, choose, outcome_key

__all__ = [
    "CHAIN_OF_THOUGHT",
    "THOUGHT_CODE",
    "VOTE_PREFIX",
    "AgentProtocol",
    "EpisodeSettings",
    "Prompt",
    "SessionEnvironment",
    "Start",
    "SystemPrompt",
    "Turn",
    "canonical",
    "choose",
    "extract_answer",
    "first_paragraph",
    "first_thought",
    "for_workers",
    "load_prompt",
    "make_trajectory",
    "outcome_key",
    "run_episode",
    "whole_sentences",
]
