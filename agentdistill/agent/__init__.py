"""The agent itself: prompts, parsing, the episode, first thought, voting. Pure Python; no engine, sandbox or Ray."""

from agentdistill.agent.cot import extract_answer, run_cot
from agentdistill.agent.episode import run_episode
from agentdistill.agent.first_thought import first_paragraph, first_thought, whole_sentences
from agentdistill.agent.parsing import END_TAG, STOP_TEXTS, Action, parse_action
from agentdistill.agent.prompts import Prompt, load_prompt
from agentdistill.agent.settings import VOTE_PREFIX, EpisodeSettings
from agentdistill.agent.voting import canonical, choose, outcome_key

__all__ = [
    "END_TAG",
    "STOP_TEXTS",
    "VOTE_PREFIX",
    "Action",
    "EpisodeSettings",
    "Prompt",
    "canonical",
    "choose",
    "extract_answer",
    "first_paragraph",
    "first_thought",
    "load_prompt",
    "outcome_key",
    "parse_action",
    "run_cot",
    "run_episode",
    "whole_sentences",
]
