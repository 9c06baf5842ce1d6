"""One episode of an agent: think, act, observe, until it answers or may not go on.

Pure Python over three arguments: an engine (`Generate`), a sandbox session (`CodeSession`), and the settings. Whatever
happens, a trajectory comes back: a failure is a stop reason with an error record, never an exception.
"""

from __future__ import annotations

import asyncio
import dataclasses
import random
import time
from dataclasses import dataclass, field

from agentdistill.agent.first_thought import THOUGHT, first_thought
from agentdistill.agent.observation import HEADER, cut, observe
from agentdistill.agent.parsing import STOP_TEXTS, Action, parse_action
from agentdistill.agent.prompts import load_prompt
from agentdistill.agent.record import Start, describe, make_trajectory
from agentdistill.agent.settings import EpisodeSettings
from agentdistill.agent.voting import choose, outcome_key
from agentdistill.errors import BusyError, EngineError, PromptTooLongError, SandboxError
from agentdistill.types import (
    ActionError,
    Candidate,
    CodeSession,
    Completion,
    Generate,
    Message,
    Outcome,
    Question,
    Request,
    Role,
    Sampling,
    Step,
    StopReason,
    Trajectory,
)

#: What an invalid action gets for an observation.
FORMAT_REMINDER = (
    "Error: {reason}. Write `Thought:` with your reasoning, then `Code:` with one block that begins with ```py "
    "and ends with ```<end_code>. If you know the answer, that block calls final_answer with it."
)

#: The types under which a sandbox reports that the search tool itself was down, or busy to the end.
_RETRIEVER_ERRORS = frozenset({"RetrieverError", "BusyError"})


@dataclass
class _Episode:
    """What an episode has come to so far."""

    question: Question
    settings: EpisodeSettings
    messages: list[Message]
    prefix: str = ""
    steps: list[Step] = field(default_factory=list)
    answer: str | None = None
    prefix_tokens: tuple[int, int] = (0, 0)  # prompt and completion tokens that the first-thought prefix cost
    prefix_s: float = 0.0
    start: Start = field(default_factory=Start)

    @property
    def completion_tokens(self) -> int:
        return sum(step.num_completion_tokens for step in self.steps)


async def run_episode(
    question: Question, generate: Generate, session: CodeSession, settings: EpisodeSettings
) -> Trajectory:
    """Run one agent on one question, at most `settings.max_steps` steps, and return its record.

    Never raises but on cancellation. The session is used, not closed.
    """
    prompt = load_prompt(settings.prompt)
    messages = [Message(Role.SYSTEM, prompt.system), Message(Role.USER, question.text)]
    episode = _Episode(question, settings, messages)
    error = ""
    try:
        reason = await asyncio.wait_for(_run(episode, generate, session), settings.time_budget_s)
    except TimeoutError:
        reason = StopReason.TIME_BUDGET
    except PromptTooLongError:
        reason = StopReason.CONTEXT_FULL
    except EngineError as failure:
        reason, error = StopReason.ENGINE_ERROR, describe(failure)
    except (SandboxError, BusyError) as failure:
        reason, error = StopReason.SANDBOX_ERROR, describe(failure)
    except _RetrieverDown as failure:
        reason, error = StopReason.RETRIEVER_ERROR, str(failure)
    except Exception as failure:
        # Whatever else breaks must not take the other episodes of this actor with it; the record names it.
        reason, error = StopReason.INTERNAL_ERROR, describe(failure)
    return make_trajectory(
        question,
        settings,
        episode.start,
        prompt.version,
        episode.messages,
        episode.steps,
        episode.answer,
        reason,
        error,
        episode.prefix,
    )


class _RetrieverDown(Exception):
    """The search tool could not answer, as opposed to finding nothing."""


async def _run(episode: _Episode, generate: Generate, session: CodeSession) -> StopReason:
    settings = episode.settings
    if settings.first_thought_prefix:
        await _prepend_first_thought(episode, generate)
    for index in range(settings.max_steps):
        if settings.token_budget is not None and episode.completion_tokens >= settings.token_budget:
            return StopReason.TOKEN_BUDGET
        step, outcome = await _step(episode, index, generate, session)
        _append(episode, step)
        if outcome is not None and outcome.is_final:
            episode.answer = outcome.final_answer
            return StopReason.FINAL_ANSWER
        if outcome is not None:
            _check_retriever(outcome)
    return StopReason.MAX_STEPS


def _check_retriever(outcome: Outcome) -> None:
    """Raise _RetrieverDown where the code asked a retriever that could not answer."""
    if outcome.error is not None and outcome.error.type in _RETRIEVER_ERRORS:
        raise _RetrieverDown(f"{outcome.error.type}: {outcome.error.message}")


async def _prepend_first_thought(episode: _Episode, generate: Generate) -> None:
    settings = episode.settings
    began = time.monotonic()
    most = min(settings.max_tokens, settings.first_thought_tokens or settings.max_tokens)
    sampling = Sampling(temperature=settings.temperature, top_p=settings.top_p, max_tokens=most, seed=settings.seed)
    text, completion = await first_thought(episode.question, generate, sampling)
    episode.prefix = THOUGHT + text if text else ""
    episode.prefix_tokens = (completion.num_prompt_tokens, completion.num_completion_tokens)
    episode.prefix_s = time.monotonic() - began


async def _step(episode: _Episode, index: int, generate: Generate, session: CodeSession) -> tuple[Step, Outcome | None]:
    """Ask for the next action, run it, and return the step and what the code did (None where there was none)."""
    prefix = episode.prefix if index == 0 else ""
    began = time.monotonic()
    sampling = episode.settings.sampling(STOP_TEXTS)
    completions = await generate(Request(tuple(episode.messages), sampling, prefix))
    generated = time.monotonic()
    actions = [parse_action(prefix + completion.text, completion.finish_reason) for completion in completions]
    no_candidates: tuple[Candidate, ...] = ()
    if len(actions) == 1:
        outcome = await session.run(actions[0].code) if actions[0].code else None
        chosen, candidates = 0, no_candidates
    else:
        chosen, outcome, candidates = await _vote(episode, index, actions, session)
    ran = time.monotonic()
    step = _make_step(episode, actions[chosen], outcome, completions, chosen, candidates)
    extra_prompt, extra_completion = episode.prefix_tokens if index == 0 else (0, 0)
    tools_s = outcome.tools_s if outcome is not None else 0.0
    return (
        dataclasses.replace(
            step,
            num_prompt_tokens=step.num_prompt_tokens + extra_prompt,
            num_completion_tokens=step.num_completion_tokens + extra_completion,
            generation_s=generated - began + (episode.prefix_s if index == 0 else 0.0),
            sandbox_s=max(0.0, ran - generated - tools_s),
            tools_s=tools_s,
        ),
        outcome,
    )


async def _vote(
    episode: _Episode, index: int, actions: list[Action], session: CodeSession
) -> tuple[int, Outcome | None, tuple[Candidate, ...]]:
    """Run every distinct candidate in a fork, vote, and commit the winner without running it again."""
    codes = list(dict.fromkeys(action.code for action in actions if action.code))
    outcomes = dict(zip(codes, await session.try_all(codes), strict=True)) if codes else {}
    for outcome in outcomes.values():
        # A candidate that the system failed has lost no vote: there was none.
        _check_retriever(outcome)
    keys = [outcome_key(outcomes.get(action.code)) for action in actions]
    rng = random.Random(f"{episode.settings.seed}:{episode.question.id}:{index}")
    runnable = [position for position, action in enumerate(actions) if action.code]
    if any(keys) or not runnable:
        chosen = choose(keys, rng)
    else:
        # All failed: one that ran and raised says more to the next step than one that could not be parsed.
        chosen = rng.choice(runnable)
    winner = actions[chosen]
    if winner.code:
        await session.commit(codes.index(winner.code))
    candidates = tuple(
        Candidate(action.thought, action.code, key, "" if key else _why(action, outcomes), position == chosen)
        for position, (action, key) in enumerate(zip(actions, keys, strict=True))
    )
    return chosen, outcomes.get(winner.code), candidates


def _why(action: Action, outcomes: dict[str, Outcome]) -> str:
    if action.error is not None:
        return f"{action.error}: {action.error_message}"
    _, message = _classify(outcomes[action.code])
    return message


def _make_step(
    episode: _Episode,
    action: Action,
    outcome: Outcome | None,
    completions: list[Completion],
    chosen: int,
    candidates: tuple[Candidate, ...],
) -> Step:
    if outcome is None:
        error, message = action.error, action.error_message
        observation = FORMAT_REMINDER.format(reason=message)
    else:
        error, message = _classify(outcome)
        observation = observe(outcome, episode.settings.observation_chars)
    return Step(
        text=action.text,
        thought=action.thought,
        code=action.code,
        observation="" if outcome is not None and outcome.is_final else observation,
        error=error,
        error_message=cut(message, 2_000),
        token_ids=completions[chosen].token_ids,
        prompt_token_ids=completions[chosen].prompt_token_ids if episode.settings.prompt_token_ids else (),
        logprobs=completions[chosen].logprobs,
        # The prompt is computed once and shared by the n candidates.
        num_prompt_tokens=max(completion.num_prompt_tokens for completion in completions),
        num_completion_tokens=sum(completion.num_completion_tokens for completion in completions),
        num_tool_calls=outcome.num_tool_calls if outcome is not None else 0,
        candidates=candidates,
    )


def _classify(outcome: Outcome) -> tuple[ActionError | None, str]:
    if outcome.limit is not None:
        return ActionError.LIMIT, f"limit: {outcome.limit}"
    if outcome.error is not None:
        return ActionError.EXECUTION, f"{outcome.error.type}: {outcome.error.message}"
    return None, ""


def _append(episode: _Episode, step: Step) -> None:
    """Add the step to the record and to the conversation."""
    episode.steps.append(step)
    episode.messages.append(Message(Role.ASSISTANT, step.text))
    if step.observation:
        episode.messages.append(Message(Role.USER, HEADER + step.observation))
