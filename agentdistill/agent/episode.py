"""One episode of an agent: think, act, observe, until it answers or may not go on.

Pure Python over an engine (`Generate`), an environment or a sandbox session, an agent protocol and the settings.
Whatever happens, a trajectory comes back: a failure is a stop reason with an error record, never an exception. What is
raised is a ConfigError before the first request: settings with which every episode would fail alike.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from agentdistill import plugins
from agentdistill.agent.endings import Failure, check_retriever, guarded
from agentdistill.agent.environment import Branches, as_environment
from agentdistill.agent.first_thought import THOUGHT, first_thought
from agentdistill.agent.prompts import load_prompt
from agentdistill.agent.protocols.base import AgentProtocol, Turn, check_turn
from agentdistill.agent.record import Start, make_trajectory
from agentdistill.agent.settings import EpisodeSettings
from agentdistill.agent.steps import Cost, Taken, take_one, vote
from agentdistill.errors import EngineError
from agentdistill.types import (
    ActionError,
    CodeSession,
    Environment,
    FinishReason,
    Generate,
    Message,
    Question,
    Request,
    Role,
    Sampling,
    Step,
    StopReason,
    Trajectory,
)


@dataclass
class _Episode:
    """What an episode has come to so far."""

    question: Question
    settings: EpisodeSettings
    protocol: AgentProtocol
    opening: tuple[Message, ...]
    prefix: str = ""
    steps: list[Step] = field(default_factory=list)
    answer: str | None = None
    before: Cost = field(default_factory=Cost)  # what came before the first step cost: the prefix, the environment

    @property
    def messages(self) -> tuple[Message, ...]:
        return (*self.opening, *(message for step in self.steps for message in step.messages))

    @property
    def completion_tokens(self) -> int:
        return sum(step.num_completion_tokens for step in self.steps)


async def run_episode(
    question: Question, generate: Generate, session: CodeSession | Environment, settings: EpisodeSettings
) -> Trajectory:
    """Run one agent on one question, at most `agent.max_steps` steps, and return its record.

    Raises ConfigError before the first request where a name in `settings` stands for nothing, or candidates are asked
    for in an environment that cannot try them; else nothing but on cancellation. The session is used, not closed.
    """
    environment = as_environment(session)
    if settings.agent.program is not None:
        return await _run_program(settings.agent.program, question, generate, environment, settings)
    start = Start()
    protocol: AgentProtocol = plugins.load("protocol", settings.protocol)
    prompt = load_prompt(settings.prompt or protocol.prompt).render(settings.tools)
    branches = Branches(environment, settings.agent.sag.n)
    opening = (Message(Role.SYSTEM, prompt.text), Message(Role.USER, question.text))
    episode = _Episode(question, settings, protocol, opening)
    ended = await guarded(_run(episode, generate, branches), settings.agent.time_budget_s)
    return make_trajectory(
        question,
        settings,
        start,
        opening=episode.opening,
        steps=episode.steps,
        answer=episode.answer,
        stop_reason=ended.reason if isinstance(ended, Failure) else ended,
        error=ended.error if isinstance(ended, Failure) else "",
        prompt_version=prompt.version,
        first_thought_prefix=episode.prefix,
    )


async def _run_program(
    name: str, question: Question, generate: Generate, environment: Environment, settings: EpisodeSettings
) -> Trajectory:
    """The record that a program of the user's makes of the episode, or one of its failure."""
    start = Start()
    program = plugins.load("program", name)

    async def run() -> Trajectory:
        found = await program(question, {"main": generate}, environment, settings)
        if not isinstance(found, Trajectory):
            raise TypeError(f"the program {name} returned a {type(found).__name__}, expected a Trajectory")
        if found.key != (expected := (settings.run_id, question.id, settings.sample_index)):
            raise ValueError(f"the program {name} returned the episode {found.key}, expected {expected}")
        return found

    ended = await guarded(run(), settings.agent.time_budget_s)
    if not isinstance(ended, Failure):
        return ended
    opening = (Message(Role.USER, question.text),)
    return make_trajectory(
        question,
        settings,
        start,
        opening=opening,
        steps=(),
        answer=None,
        stop_reason=ended.reason,
        error=ended.error,
    )


async def _run(episode: _Episode, generate: Generate, branches: Branches) -> StopReason:
    try:
        return await _take_steps(episode, generate, branches)
    finally:
        await branches.close()


async def _take_steps(episode: _Episode, generate: Generate, branches: Branches) -> StopReason:
    agent = episode.settings.agent
    await _open(episode, branches)
    if agent.first_thought_prefix:
        await _prepend_first_thought(episode, generate)
    for index in range(agent.max_steps):
        if agent.token_budget is not None and episode.completion_tokens >= agent.token_budget:
            return StopReason.TOKEN_BUDGET
        taken = await _step(episode, index, generate, branches)
        episode.steps.append(taken.step)
        if taken.turn.ends:
            episode.answer = taken.turn.answer
            return StopReason.ANSWERED
        if taken.outcome is not None and taken.outcome.is_final:
            episode.answer = taken.outcome.final_answer
            return StopReason.FINAL_ANSWER
        if taken.outcome is not None:
            check_retriever(taken.outcome)
    return StopReason.MAX_STEPS


async def _open(episode: _Episode, branches: Branches) -> None:
    """Begin in the environment, and put what it says in front of the question."""
    began = time.monotonic()
    text = await branches.reset(episode.question)
    if text:
        said = Message(Role.USER, f"{text}\n\n{episode.question.text}")
        episode.opening = (*episode.opening[:-1], said)
    episode.before.tools_s += time.monotonic() - began


async def _prepend_first_thought(episode: _Episode, generate: Generate) -> None:
    agent = episode.settings.agent
    began = time.monotonic()
    most = min(agent.max_tokens, agent.first_thought_tokens or agent.max_tokens)
    seed = episode.settings.seed
    sampling = Sampling(temperature=agent.temperature, top_p=agent.top_p, max_tokens=most, seed=seed)
    text, completion = await first_thought(episode.question, generate, sampling)
    episode.prefix = THOUGHT + text if text else ""
    episode.before.num_prompt_tokens += completion.num_prompt_tokens
    episode.before.num_completion_tokens += completion.num_completion_tokens
    episode.before.generation_s += time.monotonic() - began


async def _step(episode: _Episode, index: int, generate: Generate, branches: Branches) -> Taken:
    """Ask for the next turn, do what it says, and return what came of it."""
    settings, protocol = episode.settings, episode.protocol
    prefix = episode.prefix if index == 0 else ""
    cost = episode.before if index == 0 else Cost()
    began = time.monotonic()
    completions = await generate(Request(episode.messages, settings.sampling(protocol.stop), prefix))
    cost.generation_s += time.monotonic() - began
    written = [item for item in completions if item.finish_reason is not FinishReason.ABORT]
    if not written:
        raise EngineError(f"the engine broke off all {len(completions)} completions")
    completions, turns = written, [_read(protocol, prefix + item.text, item.finish_reason) for item in written]
    began = time.monotonic()
    if len(turns) == 1:
        choice = await take_one(turns[0], branches)
    else:
        choice = await vote(turns, branches, f"{settings.seed}:{episode.question.id}:{index}")
    cost.add_action(time.monotonic() - began, choice.outcome)
    return choice.taken(completions, protocol, settings.agent, cost)


def _read(protocol: AgentProtocol, text: str, reason: FinishReason) -> Turn:
    """The turn, which a filter of the endpoint's may have cut: nothing of that is acted on."""
    if reason is FinishReason.CONTENT_FILTER:
        return Turn(text, (), ActionError.UNFINISHED, "the endpoint's content filter ended the turn")
    return check_turn(protocol.read(text, reason), protocol.name)
