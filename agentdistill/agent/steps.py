"""One step of an episode: which of the turns is taken, what it did, and the record of it."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agentdistill.agent.endings import check_retriever
from agentdistill.agent.environment import Branches
from agentdistill.agent.protocols.base import AgentProtocol, Turn
from agentdistill.agent.protocols.observation import cut
from agentdistill.agent.voting import canonical, choose, outcome_key
from agentdistill.config import AgentConfig
from agentdistill.types import (
    OBSERVATION_HEADER,
    ActionError,
    Candidate,
    Completion,
    Message,
    Outcome,
    Role,
    Step,
)

_MESSAGE_CHARS = 2_000  # of an error's message in the record


@dataclass
class Cost:
    """What a step cost beside what its completions say."""

    num_prompt_tokens: int = 0
    num_completion_tokens: int = 0
    generation_s: float = 0.0
    sandbox_s: float = 0.0
    tools_s: float = 0.0

    def add_action(self, seconds: float, outcome: Outcome | None) -> None:
        """The seconds that an action took, those in tools apart."""
        tools_s = outcome.tools_s if outcome is not None else 0.0
        self.sandbox_s += max(0.0, seconds - tools_s)
        self.tools_s += tools_s


@dataclass(frozen=True, slots=True)
class Taken:
    """A step that was taken."""

    step: Step
    turn: Turn
    outcome: Outcome | None  # None where nothing was done


@dataclass(frozen=True, slots=True)
class Choice:
    """The turn that counts, and what it did."""

    turn: Turn
    outcome: Outcome | None
    index: int = 0  # among the completions
    candidates: tuple[Candidate, ...] = ()

    def taken(
        self, completions: Sequence[Completion], protocol: AgentProtocol, agent: AgentConfig, cost: Cost
    ) -> Taken:
        """The step with its record."""
        turn, outcome, completion = self.turn, self.outcome, completions[self.index]
        error, message = _classify(turn, outcome)
        header, observation, role = _observed(protocol.observe(turn, outcome, agent.observation_chars))
        step = Step(
            text=turn.text,
            parts=turn.parts,
            observation=observation,
            observation_header=header,
            observation_role=role,
            error=error,
            error_message=cut(message, _MESSAGE_CHARS),
            token_ids=completion.token_ids,
            prompt_token_ids=completion.prompt_token_ids if agent.prompt_token_ids else (),
            logprobs=completion.logprobs,
            # The prompt is computed once and shared by the n candidates.
            num_prompt_tokens=max(item.num_prompt_tokens for item in completions) + cost.num_prompt_tokens,
            num_completion_tokens=sum(item.num_completion_tokens for item in completions) + cost.num_completion_tokens,
            num_tool_calls=outcome.num_tool_calls if outcome is not None else 0,
            candidates=self.candidates,
            generation_s=cost.generation_s,
            sandbox_s=cost.sandbox_s,
            tools_s=cost.tools_s,
        )
        return Taken(step, turn, outcome)


async def take_one(turn: Turn, branches: Branches) -> Choice:
    """Do what the turn says, where it says anything."""
    return Choice(turn, await branches.step(turn.action) if turn.action else None)


async def vote(turns: Sequence[Turn], branches: Branches, seed: str) -> Choice:
    """Try every distinct action in a branch of its own, vote, and go on in the winner's without taking it again."""
    actions = list(dict.fromkeys(turn.action for turn in turns if turn.action))
    outcomes = dict(zip(actions, await branches.try_all(actions), strict=True)) if actions else {}
    for outcome in outcomes.values():
        # A candidate that the system failed has lost no vote: there was none.
        check_retriever(outcome)
    keys = [_key(turn, outcomes.get(turn.action)) for turn in turns]
    rng = random.Random(seed)
    doable = [position for position, turn in enumerate(turns) if turn.action]
    # Where all failed, one that ran and raised says more to the next step than one that could not be parsed.
    index = choose(keys, rng) if any(keys) or not doable else rng.choice(doable)
    winner = turns[index]
    if winner.action:
        await branches.commit(actions.index(winner.action))
    candidates = tuple(
        Candidate(turn.thought, turn.action, key, "" if key else _why(turn, outcomes), position == index)
        for position, (turn, key) in enumerate(zip(turns, keys, strict=True))
    )
    return Choice(winner, outcomes.get(winner.action), index, candidates)


def _key(turn: Turn, outcome: Outcome | None) -> str:
    """What a candidate votes for; empty where it has no vote."""
    if turn.ends:
        return "" if turn.answer is None else f"final:{canonical(turn.answer)}"
    return outcome_key(outcome)


def _why(turn: Turn, outcomes: Mapping[str, Outcome]) -> str:
    error, message = _classify(turn, outcomes.get(turn.action))
    return message if turn.error is None else f"{error}: {message}"


def _classify(turn: Turn, outcome: Outcome | None) -> tuple[ActionError | None, str]:
    if outcome is None:
        return turn.error, turn.error_message
    if outcome.limit is not None:
        return ActionError.LIMIT, f"limit: {outcome.limit}"
    if outcome.error is not None:
        return ActionError.EXECUTION, f"{outcome.error.type}: {outcome.error.message}"
    return None, ""


def _observed(message: Message | None) -> tuple[str, str, Role]:
    """(header, text, who speaks) of what comes back; a header of a protocol's own is part of the text."""
    if message is None:
        return OBSERVATION_HEADER, "", Role.USER
    header = OBSERVATION_HEADER if message.content.startswith(OBSERVATION_HEADER) else ""
    return header, message.content.removeprefix(header), message.role
