"""Answering in one turn, without code: chain of thought, with or without retrieved passages. The paper's baselines."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable

from agentdistill.agent.prompts import load_prompt
from agentdistill.agent.reasoning import without_reasoning
from agentdistill.agent.record import Start, describe, make_trajectory
from agentdistill.agent.settings import EpisodeSettings
from agentdistill.errors import BusyError, EngineError, PromptTooLongError, RetrieverError
from agentdistill.types import (
    ActionError,
    Completion,
    FinishReason,
    Generate,
    Message,
    Question,
    Request,
    Role,
    Step,
    StopReason,
    Trajectory,
)

_ANSWER_LINE = re.compile(
    r"^\W*(?:the\s+)?(?:final\s+)?answer(?:\s+is)?\W*?[:=]?\s+(.+)$", re.IGNORECASE | re.MULTILINE
)
_BOXED = "\\boxed{"


async def run_cot(
    question: Question,
    generate: Generate,
    settings: EpisodeSettings,
    search: Callable[[str], Awaitable[str]] | None = None,
) -> Trajectory:
    """One completion, and the answer taken from it.

    With `search` (the agent's tool: a query to numbered passages as text), passages for the question stand before it.

    Never raises but on cancellation.
    """
    start = Start()
    prompt = load_prompt("cot_rag" if search is not None else "cot")
    messages = [Message(Role.SYSTEM, prompt.system)]
    steps: list[Step] = []
    answer, error = None, ""
    try:
        async with asyncio.timeout(settings.time_budget_s):
            passages = f"{await search(question.text)}\n\n" if search is not None else ""
            searched = time.monotonic()
            messages.append(Message(Role.USER, passages + question.text))
            (completion,) = await generate(Request(tuple(messages), settings.sampling(())))
            messages.append(Message(Role.ASSISTANT, completion.text))
            steps.append(_step(completion, settings, searched - start.clock_s, time.monotonic() - searched))
            answer, reason = extract_answer(completion.text), StopReason.ANSWERED
    except TimeoutError:
        reason = StopReason.TIME_BUDGET
    except PromptTooLongError:
        reason = StopReason.CONTEXT_FULL
    except EngineError as failure:
        reason, error = StopReason.ENGINE_ERROR, describe(failure)
    except (RetrieverError, BusyError) as failure:
        reason, error = StopReason.RETRIEVER_ERROR, describe(failure)
    except Exception as failure:
        # Whatever else breaks must not take the other episodes of this actor with it; the record names it.
        reason, error = StopReason.INTERNAL_ERROR, describe(failure)
    return make_trajectory(question, settings, start, prompt.version, messages, steps, answer, reason, error)


def extract_answer(text: str) -> str | None:
    r"""The content of the last `\boxed{...}`, else the rest of the last `Answer:` line, else None.

    A draft of an answer within reasoning (`<think>...</think>`) is none.
    """
    text = without_reasoning(text)
    start = text.rfind(_BOXED)
    if start >= 0:
        inner = _balanced(text, start + len(_BOXED))
        if inner is not None:
            return inner.strip()
    lines = _ANSWER_LINE.findall(text)
    return lines[-1].strip().strip("*").rstrip(".") if lines else None


def _balanced(text: str, start: int) -> str | None:
    depth = 1
    for position in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        if depth == 0:
            return text[start:position]
    return None


def _step(completion: Completion, settings: EpisodeSettings, tools_s: float, generation_s: float) -> Step:
    return Step(
        text=completion.text,
        thought=completion.text,
        code="",
        observation="",
        # Cut by the token limit: an answer may stand in it, but it is no example of how to end.
        error=ActionError.UNFINISHED if completion.finish_reason is FinishReason.LENGTH else None,
        token_ids=completion.token_ids,
        prompt_token_ids=completion.prompt_token_ids if settings.prompt_token_ids else (),
        logprobs=completion.logprobs,
        num_prompt_tokens=completion.num_prompt_tokens,
        num_completion_tokens=completion.num_completion_tokens,
        generation_s=generation_s,
        tools_s=tools_s,
    )
